import { KindredError } from "@kindred/errors";
import { countDown } from "./call-limits.ts";
import { spaceMismatch } from "./embedding-space.ts";
import { noImage } from "./no-image.ts";
import type { CallLimits, CatalogueState, EmbeddingPort, VectorSearch } from "./ports.ts";
import { exactRowBound, firstCandidateLimit, indexScan, nextCandidateLimit } from "./search-plan.ts";
import {
  isFiltered,
  similarityOf,
  type Hit,
  type NearestQuery,
  type QueryVector,
  type Scan,
  type SearchQuery,
} from "./search-query.ts";

export interface SearchDeps {
  catalogue: VectorSearch;
  embedding: Pick<EmbeddingPort, "embed">;
}

export interface RankedHit extends Hit {
  similarity: number;
}

/** Hits and how they were found. */
export interface SearchResult {
  /** By descending similarity, then ascending image id and embedding id; at most k. */
  hits: RankedHit[];
  method: "exact" | "hnsw" | "exact-fallback";
  /** Undefined for an exact search. */
  scan: (Scan & { method: "hnsw" }) | undefined;
  /** Whether there are as many hits as there can be. */
  complete: boolean;
  /** Undefined while the catalogue has no embedding. */
  spaceId: string | undefined;
  /** Milliseconds spent on turning the text into a vector, and on the database. */
  embedMs: number;
  databaseMs: number;
}

/**
 * Finds the k nearest images, or embeddings. A scan of the index that comes out short of k hits is widened, and at last
 * every candidate is compared: a filtered search never silently returns too few.
 * @throws KindredError failed-precondition when the query's vector lives in another space than the catalogue's;
 *   not-found for an unknown image; unavailable when a text cannot be embedded at the moment.
 */
export async function search(
  deps: SearchDeps,
  query: SearchQuery,
  limits: CallLimits,
): Promise<SearchResult> {
  const left = countDown(limits);
  const state = await deps.catalogue.state();
  // While the text is being embedded, the database finds out how selective the filter is.
  const [resolved, scan] = await settled(
    resolveVector(deps, query, state, left()),
    chooseScan(deps, query, state, left()),
  );
  const started = performance.now();
  const found = await findNearest(deps.catalogue, query, state, resolved.vector, scan, left);
  return {
    ...found,
    spaceId: state.space?.id,
    embedMs: resolved.embedMs,
    databaseMs: performance.now() - started + resolved.databaseMs,
  };
}

/** Both results; when one fails the other's failure is of no interest any more. */
async function settled<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  const [first, second] = await Promise.allSettled([a, b]);
  if (first.status === "rejected") throw first.reason;
  if (second.status === "rejected") throw second.reason;
  return [first.value, second.value];
}

interface ResolvedVector {
  vector: QueryVector;
  embedMs: number;
  databaseMs: number;
}

async function resolveVector(
  deps: SearchDeps,
  { by }: SearchQuery,
  state: CatalogueState,
  limits: CallLimits,
): Promise<ResolvedVector> {
  const started = performance.now();
  switch (by.kind) {
    case "text": {
      const { vectors } = await deps.embedding.embed([by.text], {
        ...limits,
        priority: "interactive",
        expectedSpaceId: state.space?.id,
      });
      return { vector: { packed: vectors }, embedMs: performance.now() - started, databaseMs: 0 };
    }
    case "vector":
      if (by.spaceId !== "" && state.space && by.spaceId !== state.space.id) {
        throw spaceMismatch(state.space.id, by.spaceId);
      }
      return { vector: { packed: by.data }, embedMs: 0, databaseMs: 0 };
    case "image": {
      const vector = await deps.catalogue.firstVector(by.id, limits);
      if (vector === "no-image") throw noImage({ id: by.id });
      if (vector === "no-embedding") {
        throw new KindredError(
          "failed-precondition",
          `image ${by.id} has no embedding to search with: add one first`,
        );
      }
      return { vector, embedMs: 0, databaseMs: performance.now() - started };
    }
  }
}

async function chooseScan(
  { catalogue }: SearchDeps,
  query: SearchQuery,
  state: CatalogueState,
  limits: CallLimits,
): Promise<Scan> {
  const scan = indexScan(query, state);
  if (!scan) return { method: "exact" };
  // Whoever names an ef_search wants the index.
  if (!isFiltered(query.filter) || query.efSearch !== undefined) return scan;
  const bound = exactRowBound(firstCandidateLimit(query, state), state.estimatedEmbeddings, scan.efSearch);
  const matching = await catalogue.countMatching(query.filter, bound, limits);
  return matching < bound ? { method: "exact" } : scan;
}

async function findNearest(
  catalogue: VectorSearch,
  query: SearchQuery,
  state: CatalogueState,
  vector: QueryVector,
  chosen: Scan,
  left: () => CallLimits,
): Promise<Pick<SearchResult, "hits" | "method" | "scan" | "complete">> {
  let scan = chosen;
  let candidateLimit = firstCandidateLimit(query, state);
  for (;;) {
    const { hits, candidates } = await catalogue.nearest(
      nearestQuery(query, vector, scan, candidateLimit),
      left(),
    );
    const ranked = rank(query, hits);
    const enough = hits.length >= query.k;
    if (scan.method === "exact") {
      // Fewer candidates than asked for: there are no more rows.
      if (enough || candidates < candidateLimit) {
        const method = chosen.method === "exact" ? "exact" : "exact-fallback";
        return { hits: ranked, method, scan: undefined, complete: true };
      }
    } else if (enough || ranked.length < hits.length) {
      // When the farthest hits are below the threshold already, farther ones are too.
      return { hits: ranked, method: "hnsw", scan, complete: true };
    } else if (candidates < candidateLimit || candidateLimit >= scan.maxScanTuples) {
      scan = { method: "exact" };
      continue;
    }
    candidateLimit = nextCandidateLimit(candidateLimit);
  }
}

function nearestQuery(
  query: SearchQuery,
  vector: QueryVector,
  scan: Scan,
  candidateLimit: number,
): NearestQuery {
  const { metric, filter, hitPerEmbedding, k } = query;
  const excludedImage = query.by.kind === "image" ? query.by.id : undefined;
  return { vector, metric, filter, excludedImage, hitPerEmbedding, k, candidateLimit, scan };
}

function rank(query: SearchQuery, hits: readonly Hit[]): RankedHit[] {
  const ranked = hits.map((hit) => ({ ...hit, similarity: similarityOf(query.metric, hit.distance) }));
  // Zero vectors that came by other ways than this service have no cosine; they sort last.
  const comparable = ranked.filter((hit) => !Number.isNaN(hit.similarity));
  const { threshold } = query;
  return threshold === undefined ? comparable : comparable.filter((hit) => hit.similarity >= threshold);
}
