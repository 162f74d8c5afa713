import { invalidField, KindredError } from "@kindred/errors";
import { countDown } from "../call-limits.ts";
import { COLLECTION, metricsOf, type Collection } from "../collection.ts";
import { allOf } from "../filter.ts";
import type {
  CollectionRepository,
  ExplainedQuery,
  IndexScan,
  ItemQuery,
  ItemScan,
  ItemSearch,
  SearchState,
  TextSearch,
} from "../item-ports.ts";
import { IMAGE_ID_FIELD } from "../layout.ts";
import type { PackedVector } from "../packed-vector.ts";
import type { RecentQueries } from "../recall/recent-queries.ts";
import type { CallLimits, EmbeddingPort } from "../ports.ts";
import { diversify } from "./diversify.ts";
import { findNearest, rank, type Found, type RankedHit } from "./find-nearest.ts";
import { fuse, type FusedHit } from "./fuse.ts";
import {
  embedTexts,
  exclusionsOf,
  queryVector,
  requireFit,
  textsOf,
  withStoredKeys,
  type EmbeddedTexts,
  type QueryVectorDeps,
  type SearchedCollection,
} from "./query-vector.ts";
import { chooseIndex, type ChosenIndex } from "./choose-index.ts";
import { retrySearch } from "./retry-search.ts";
import { onReplica, type ReplicaDeps } from "./search-replicas.ts";
import { exactRowBound, filteredCandidateLimit, firstCandidateLimit } from "./search-plan.ts";
import type { Grouping, Hybrid, SearchQuery } from "./search-query.ts";

export interface SearchDeps extends QueryVectorDeps, ReplicaDeps {
  collections: Pick<CollectionRepository, "get">;
  search: ItemSearch;
  texts: TextSearch;
  embedding: Pick<EmbeddingPort, "embed">;
  /** Undefined: nobody wants to know what is searched for. */
  recent?: RecentQueries | undefined;
}

export type SearchHit = RankedHit & Partial<Pick<FusedHit, "fusedScore" | "textRank">>;

/** Hits and how they were found. */
export interface SearchResult {
  collection: Collection;
  metric: SearchedCollection["metric"];
  /** As SearchResponse orders them. */
  hits: SearchHit[];
  plan: SearchPlan;
  /** Milliseconds spent on turning texts into vectors, and on the database. */
  embedMs: number;
  databaseMs: number;
}

/** How a search was answered. */
export interface SearchPlan {
  scan: ItemScan;
  /** Whether the store compared the vectors itself, for want of pgvector. */
  inProcess: boolean;
  /** Whether a read replica answered. */
  replica: boolean;
  fallback: boolean;
  complete: boolean;
  rowsScanned: number | undefined;
  textMethod: string | undefined;
  matchingRows: number | undefined;
  /** Share of the items that pass the filter, as a sample lets expect; undefined where it was not asked for. */
  filterSelectivity: number | undefined;
  /** Whether an index scan goes on under the filter. */
  iterative: boolean;
  /** recall@k that was asked of an index scan; undefined for exact searches, and where the caller named the effort. */
  recallTarget: number | undefined;
  /** recall@k that is to be expected: 1 of exact searches; undefined where nothing was measured. */
  expectedRecall: number | undefined;
  /** The decision in words. */
  reasons: readonly string[];
}

/** Texts of several searches may have been embedded together before. */
export type EmbedAll = (
  collection: Collection,
  texts: readonly string[],
  limits: CallLimits,
) => Promise<EmbeddedTexts>;

/**
 * Finds the k nearest items of a collection, or groups of them; of the images catalogue the nearest images.
 * @throws KindredError not-found for an unknown collection, key or image; invalid-argument for what does not fit the collection;
 *   failed-precondition when the query lives in another space than the collection; unavailable when a text cannot be embedded
 *   at the moment.
 */
export async function search(
  deps: SearchDeps,
  asked: SearchQuery,
  limits: CallLimits,
  embedAll: EmbedAll = (collection, texts, left) => embedTexts(deps, collection, texts, left),
): Promise<SearchResult> {
  const left = countDown(limits);
  return await retrySearch(deps.collections, asked, (query) =>
    onReplica(deps, query, (near) => searchOnce(near, query, left, embedAll)),
  );
}

async function searchOnce(
  deps: SearchDeps,
  asked: SearchQuery,
  left: () => CallLimits,
  embedAll: EmbedAll,
): Promise<SearchResult> {
  const { signal } = left();
  const began = performance.now();
  const prepared = await prepare(deps, asked);
  const { query, collection, metric } = prepared;
  const embedded = timed(() => embedAll(collection, textsOf(query), left()));
  // While texts are being embedded, the database finds out how selective the filter is, and what the documents say.
  const [{ value: texts, ms: embedMs }, chosen, matched] = await settled(
    embedded,
    chooseScan(deps, prepared, left()),
    matchDocuments(deps, prepared, left()),
  );
  const vector = await queryVector(deps, collection, query, texts, left());
  if (!isStored(query)) deps.recent?.note(collection, vector);
  const first = itemQuery(prepared, vector, chosen.scan);
  const found = await findNearest(deps.search, first, query.threshold, left);
  const fused =
    query.hybrid && matched ? await joinMatches(deps, first, query, found, matched.keys, left()) : found.hits;
  return {
    collection,
    metric,
    hits: await choose(prepared, fused, signal),
    plan: {
      ...chosen,
      scan: found.scan,
      inProcess: collection.layout.vector.storage === "json",
      replica: deps.onReplica === true,
      fallback: found.fallback,
      ...(found.fallback && { recallTarget: undefined, expectedRecall: 1 }),
      complete: found.complete,
      // An exact search under a filter compares what passes it, which was counted.
      rowsScanned: found.rowsScanned ?? (found.scan.method === "exact" ? chosen.matchingRows : undefined),
      textMethod: matched?.method,
      reasons: found.fallback
        ? [...chosen.reasons, "The index gave too few hits, so that every candidate was compared."]
        : chosen.reasons,
    },
    embedMs,
    databaseMs: Math.max(0, performance.now() - began - embedMs),
  };
}

/** How the search would be answered; texts are embedded for it, and hits are not read. */
export async function explain(
  deps: SearchDeps,
  asked: SearchQuery,
  options: { analyze: boolean },
  limits: CallLimits,
): Promise<{ collection: Collection; plan: SearchPlan; explained: ExplainedQuery | undefined }> {
  const left = countDown(limits);
  return await retrySearch(deps.collections, asked, (query) =>
    onReplica(deps, query, (near) => explainOnce(near, query, options, left)),
  );
}

async function explainOnce(
  deps: SearchDeps,
  asked: SearchQuery,
  options: { analyze: boolean },
  left: () => CallLimits,
): Promise<{ collection: Collection; plan: SearchPlan; explained: ExplainedQuery | undefined }> {
  const prepared = await prepare(deps, asked);
  const { query, collection } = prepared;
  const [texts, chosen] = await settled(
    embedTexts(deps, collection, textsOf(query), left()),
    chooseScan(deps, prepared, left()),
  );
  const vector = await queryVector(deps, collection, query, texts, left());
  const explained = await deps.search.explain(itemQuery(prepared, vector, chosen.scan), options, left());
  const plan = {
    ...chosen,
    inProcess: collection.layout.vector.storage === "json",
    replica: deps.onReplica === true,
    fallback: false,
    complete: true,
    rowsScanned: undefined,
    textMethod: undefined,
  };
  return { collection, plan, explained };
}

/** A query with what its collection makes of it. */
interface Prepared extends SearchedCollection {
  /** With keys as they are stored. */
  query: SearchQuery;
  state: SearchState;
  group: Grouping | undefined;
  /** Hits, or groups, of the vectors' list. */
  wanted: number;
}

async function prepare(deps: SearchDeps, asked: SearchQuery): Promise<Prepared> {
  const collection = await deps.collections.get(asked.collection);
  const query = withStoredKeys(collection, asked);
  const metric = query.metric ?? collection.metric;
  const metrics = metricsOf(collection.elementType);
  if (!metrics.includes(metric)) {
    throw invalidField(
      "metric",
      `must be one for ${collection.elementType}: ${metrics.join(", ")}; is ${metric}`,
    );
  }
  requireFit({ collection, metric }, query);
  if (query.hybrid && !collection.layout.document) {
    throw new KindredError(
      "failed-precondition",
      `${JSON.stringify(collection.name)} has no documents: register it with document_column for hybrid searches`,
    );
  }
  const last = query.offset + query.k;
  return {
    query,
    collection,
    metric,
    state: await deps.search.state(collection),
    group: groupingOf(collection, query),
    wanted: Math.max(last, query.hybrid?.candidates ?? 0, query.diversity?.candidates ?? 0),
  };
}

function groupingOf(collection: Collection, query: SearchQuery): Grouping | undefined {
  if (collection.name !== COLLECTION || query.hitPerEmbedding) return query.group;
  if (query.group)
    throw invalidField("group_by", "needs hit_per_embedding in the images catalogue, whose hits are images");
  return { path: [IMAGE_ID_FIELD], size: 1 };
}

type ChosenScan = Pick<
  SearchPlan,
  "scan" | "matchingRows" | "filterSelectivity" | "iterative" | "recallTarget" | "expectedRecall" | "reasons"
>;

async function chooseScan(deps: SearchDeps, prepared: Prepared, limits: CallLimits): Promise<ChosenScan> {
  const { query, collection, metric, state } = prepared;
  if (query.exact) return exactly("The caller asked for an exact search.");
  const wanted = {
    collection,
    metric,
    state,
    wanted: prepared.wanted,
    candidateLimit: scanLimit(prepared),
  };
  const unfiltered = chooseIndex(query, { ...wanted, selectivity: 1 });
  if (!unfiltered)
    return exactly(`No valid index serves the metric ${metric}, so that every row is compared.`);
  const { scan } = unfiltered;
  if (!query.filter) return byIndex(prepared, unfiltered, {});
  // Whoever names ef_search or probes wants the index.
  if (query.efSearch !== undefined || query.probes !== undefined) return byIndex(prepared, unfiltered, {});
  const bound = exactRowBound(wanted.candidateLimit, state.estimatedRows, scan);
  const matchingRows = await deps.search.countMatching(collection, query.filter, bound, limits);
  if (matchingRows < bound) {
    return exactly(
      `${matchingRows} rows pass the filter: comparing all of them is cheaper than scanning ${scan.indexName}.`,
      matchingRows,
    );
  }
  const sampled = await deps.search.passingShare(collection, query.filter, limits);
  // At least so many pass, however few of them a sample met.
  const counted = Math.min(1, bound / Math.max(1, state.estimatedRows));
  const selectivity = Math.max(counted, sampled ?? 0);
  const chosen = chooseIndex(query, { ...wanted, selectivity }) ?? unfiltered;
  return byIndex(prepared, chosen, {
    matchingRows,
    filterSelectivity: sampled === undefined ? undefined : selectivity,
    reasons: [
      `At least ${bound} rows pass the filter: comparing them all would cost more than the index scan.`,
      sampled === undefined
        ? "No sample of this table can be taken, and so the filter counts as one that passes no more rows."
        : `In a sample it passed ${(100 * sampled).toFixed(1)} % of the rows.`,
    ],
  });
}

function exactly(reason: string, matchingRows?: number): ChosenScan {
  return {
    scan: { method: "exact" },
    matchingRows,
    filterSelectivity: undefined,
    iterative: false,
    recallTarget: undefined,
    expectedRecall: 1,
    reasons: [reason],
  };
}

/** By the index, unless an exact search is the better answer. */
function byIndex(
  { query, metric, state }: Prepared,
  { scan, recallTarget, expectedRecall, reason, exactInstead }: ChosenIndex,
  filtered: Partial<Pick<ChosenScan, "matchingRows" | "filterSelectivity" | "reasons">>,
): ChosenScan {
  const { filterSelectivity } = filtered;
  if (exactInstead !== undefined) return { ...exactly(exactInstead), filterSelectivity };
  return {
    scan,
    matchingRows: filtered.matchingRows,
    filterSelectivity,
    iterative: query.filter !== undefined && (state.iterativeScans || scan.method === "diskann"),
    recallTarget,
    expectedRecall,
    reasons: [
      `The ${describeIndex(scan)} ${scan.indexName} serves the metric ${metric}.`,
      ...(filtered.reasons ?? []),
      reason,
    ],
  };
}

function describeIndex({ method, quantization }: IndexScan): string {
  const quantized = { none: "", halfvec: " of half precision", binary: " of binary quantised vectors" };
  return `${method} index${quantized[quantization]}`;
}

/** Such a query leaves out the very items that it would find first: it says little about others. */
function isStored(query: SearchQuery): boolean {
  const { keys, filter } = exclusionsOf(query);
  return keys.length > 0 || filter !== undefined;
}

/** Which items may be hits. */
function candidatesOf(query: SearchQuery): Pick<ItemQuery, "filter" | "excludedKeys"> {
  const { keys, filter } = exclusionsOf(query);
  return { filter: allOf(query.filter, filter), excludedKeys: keys };
}

function exactLimit({ group, state, wanted }: Prepared): number {
  const itemsPerGroup = state.estimatedRows / Math.max(1, state.estimatedGroups);
  return firstCandidateLimit(wanted, group && { groupSize: group.size, itemsPerGroup });
}

function scanLimit(prepared: Prepared): number {
  const limit = exactLimit(prepared);
  return prepared.query.filter ? filteredCandidateLimit(limit) : limit;
}

function itemQuery(prepared: Prepared, vector: PackedVector, scan: ItemScan): ItemQuery {
  const { query, collection, metric, group, wanted } = prepared;
  return {
    collection,
    vector,
    metric,
    ...candidatesOf(query),
    group,
    k: wanted,
    candidateLimit: scan.method === "exact" ? exactLimit(prepared) : scanLimit(prepared),
    scan,
    projection: { ...query.projection, vector: query.projection.vector || query.diversity !== undefined },
  };
}

async function matchDocuments(
  deps: SearchDeps,
  { query, collection, group, state }: Prepared,
  limits: CallLimits,
): Promise<{ keys: string[]; method: string } | undefined> {
  const { hybrid, by } = query;
  if (!hybrid) return undefined;
  const text = hybrid.text ?? (by.kind === "text" ? by.text : undefined);
  if (text === undefined) throw invalidField("hybrid.text", "is required where the query is no text");
  const itemsPerGroup = group ? Math.ceil(state.estimatedRows / Math.max(1, state.estimatedGroups)) : 1;
  const limit = hybrid.candidates * Math.max(1, itemsPerGroup);
  return await deps.texts.matches(collection, { text, ...candidatesOf(query), limit }, limits);
}

/** What the full-text search found, with distances, joined with the nearest. */
async function joinMatches(
  deps: SearchDeps,
  first: ItemQuery,
  query: SearchQuery & { hybrid?: Hybrid | undefined },
  found: Found,
  keys: readonly string[],
  limits: CallLimits,
): Promise<FusedHit[]> {
  const hits = new Map(found.hits.map((hit) => [hit.key, hit]));
  const unknown = keys.filter((key) => !hits.has(key));
  if (unknown.length > 0) {
    const { collection, vector, metric, group, projection } = first;
    const others = await deps.search.distances(
      { collection, vector, metric, group, projection, keys: unknown },
      limits,
    );
    for (const hit of rank(first, others, query.threshold)) hits.set(hit.key, hit);
  }
  const matched = keys.flatMap((key) => hits.get(key) ?? []);
  return fuse(found.hits, matched, {
    ...(query.hybrid as Hybrid),
    keyType: first.collection.layout.key.type,
    identityOf: (hit) => (first.group ? hit.group : hit.key),
  });
}

/** The hits that the caller asked for, of those that were found. */
async function choose(
  prepared: Prepared,
  hits: readonly SearchHit[],
  signal: AbortSignal | undefined,
): Promise<SearchHit[]> {
  const { query } = prepared;
  const { diversity, offset, k } = query;
  const last = offset + k;
  if (diversity) {
    const { metric, collection } = prepared;
    const options = { lambda: diversity.lambda, count: last, metric, dimensions: collection.dimensions };
    const chosen = (await diversify(hits, options, signal)).slice(offset);
    return query.projection.vector ? chosen : chosen.map((hit) => ({ ...hit, vector: undefined }));
  }
  if (!prepared.group) return hits.slice(offset, last);
  const groups = [...new Set(hits.map((hit) => hit.group))].slice(offset, last);
  const wanted = new Set(groups);
  return hits.filter((hit) => wanted.has(hit.group));
}

async function timed<T>(work: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const began = performance.now();
  const value = await work();
  return { value, ms: performance.now() - began };
}

/** All results; when one fails the others' failures are of no interest any more. */
async function settled<T extends readonly unknown[]>(...work: { [K in keyof T]: Promise<T[K]> }): Promise<T> {
  const outcomes = await Promise.allSettled(work);
  const failure = outcomes.find((outcome) => outcome.status === "rejected");
  if (failure) throw failure.reason;
  return outcomes.map((outcome) => (outcome as PromiseFulfilledResult<unknown>).value) as unknown as T;
}
