import { invalidField, KindredError } from "@kindred/errors";
import { countDown } from "../call-limits.ts";
import { COLLECTION, metricsOf, type Collection } from "../collection.ts";
import { allOf } from "../filter.ts";
import type {
  CollectionRepository,
  ExplainedQuery,
  ItemQuery,
  ItemScan,
  ItemSearch,
  SearchState,
  TextSearch,
} from "../item-ports.ts";
import { IMAGE_ID_FIELD } from "../layout.ts";
import type { PackedVector } from "../packed-vector.ts";
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
import { exactRowBound, firstCandidateLimit, indexScan } from "./search-plan.ts";
import type { Grouping, Hybrid, SearchQuery } from "./search-query.ts";

export interface SearchDeps extends QueryVectorDeps {
  collections: Pick<CollectionRepository, "get">;
  search: ItemSearch;
  texts: TextSearch;
  embedding: Pick<EmbeddingPort, "embed">;
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
  fallback: boolean;
  complete: boolean;
  rowsScanned: number | undefined;
  textMethod: string | undefined;
  matchingRows: number | undefined;
  /** Whether an index scan goes on under the filter. */
  iterative: boolean;
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
  const first = itemQuery(prepared, vector, chosen.scan);
  const found = await findNearest(deps.search, first, query.threshold, left);
  const fused =
    query.hybrid && matched ? await joinMatches(deps, first, query, found, matched.keys, left()) : found.hits;
  return {
    collection,
    metric,
    hits: await choose(prepared, fused, limits.signal),
    plan: {
      ...chosen,
      scan: found.scan,
      inProcess: collection.layout.vector.storage === "json",
      fallback: found.fallback,
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

interface ChosenScan {
  scan: ItemScan;
  matchingRows: number | undefined;
  iterative: boolean;
  reasons: string[];
}

async function chooseScan(deps: SearchDeps, prepared: Prepared, limits: CallLimits): Promise<ChosenScan> {
  const { query, collection, metric, state } = prepared;
  const exact = (reason: string, matchingRows?: number): ChosenScan => ({
    scan: { method: "exact" },
    matchingRows,
    iterative: false,
    reasons: [reason],
  });
  if (query.exact) return exact("The caller asked for an exact search.");
  const scan = indexScan(query, { collection, metric, state, wanted: prepared.wanted });
  if (!scan) return exact(`No valid index serves the metric ${metric}, so that every row is compared.`);
  const named = `The ${scan.method} index ${scan.indexName} serves the metric ${metric}.`;
  if (!query.filter) return { scan, matchingRows: undefined, iterative: false, reasons: [named] };
  // Whoever names ef_search or probes wants the index.
  if (query.efSearch !== undefined || query.probes !== undefined) {
    return {
      scan,
      matchingRows: undefined,
      iterative: state.iterativeScans,
      reasons: [named, "The caller named its effort."],
    };
  }
  const bound = exactRowBound(candidateLimit(prepared), state.estimatedRows, scan);
  const matchingRows = await deps.search.countMatching(collection, query.filter, bound, limits);
  if (matchingRows < bound) {
    return exact(
      `${matchingRows} rows pass the filter: comparing all of them is cheaper than scanning ${scan.indexName}.`,
      matchingRows,
    );
  }
  return {
    scan,
    matchingRows,
    iterative: state.iterativeScans,
    reasons: [
      named,
      `At least ${bound} rows pass the filter: comparing them all would cost more than the index scan.`,
    ],
  };
}

/** Which items may be hits. */
function candidatesOf(query: SearchQuery): Pick<ItemQuery, "filter" | "excludedKeys"> {
  const { keys, filter } = exclusionsOf(query);
  return { filter: allOf(query.filter, filter), excludedKeys: keys };
}

function candidateLimit({ group, state, wanted }: Prepared): number {
  const itemsPerGroup = state.estimatedRows / Math.max(1, state.estimatedGroups);
  return firstCandidateLimit(wanted, group && { groupSize: group.size, itemsPerGroup });
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
    candidateLimit: candidateLimit(prepared),
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
