import { createClient } from "@connectrpc/connect";
import { EmbeddingService, Priority } from "@kindred/contracts/embedding/v1";
import { ImageService, IndexService, SearchMethod, SearchService } from "@kindred/contracts/vector-store/v1";
import { openChannel, packVectors, unpackVectors } from "@kindred/rpc";
import type { CocoPicture } from "./coco.ts";

export const DEPTHS = [1, 5, 10] as const;
/** Percent of the queries whose own picture is among the first 1, 5 and 10 hits. */
export type HitRates = Record<(typeof DEPTHS)[number], number>;

export interface RetrievalReport {
  pictures: number;
  /** Dot products of every pair in double precision, outside the store. */
  computed: HitRates;
  /** The store, before it has an index. */
  exact: HitRates;
  /** The store, through its HNSW index. */
  hnsw: HitRates;
}

/**
 * Stores each picture with its first caption, and searches with its second one: by exact computation, by exact search and
 * through the HNSW index. The store has to be empty.
 * @throws Error when a search was not answered in the way that is being measured.
 */
export async function measureRetrieval(
  addresses: { embedding: string; vectorStore: string },
  pictures: readonly CocoPicture[],
): Promise<RetrievalReport> {
  await using toEmbedding = openChannel({ address: addresses.embedding, defaultTimeoutMs: 300_000 });
  await using toStore = openChannel({ address: addresses.vectorStore, defaultTimeoutMs: 300_000 });
  const embedding = createClient(EmbeddingService, toEmbedding.transport);
  const search = createClient(SearchService, toStore.transport);
  const caption = (picture: CocoPicture, nth: 0 | 1): string => picture.captions[nth]?.text as string;

  await createClient(ImageService, toStore.transport).batchAddImages(
    (async function* () {
      for (let start = 0; start < pictures.length; start += 500) {
        yield {
          images: pictures.slice(start, start + 500).map((picture) => ({
            image: { imagePath: picture.fileName },
            embeddings: [{ key: "first", source: { case: "text" as const, value: caption(picture, 0) } }],
          })),
        };
      }
    })(),
  );

  const embed = async (texts: string[]) => {
    const reply = await embedding.embed({ texts, priority: Priority.BULK });
    const dimensions = reply.space?.dimensions as number;
    return { dimensions, vectors: unpackVectors(reply.vectors, dimensions) };
  };
  const { vectors: stored, dimensions } = await embed(pictures.map((picture) => caption(picture, 0)));
  const { vectors: queries } = await embed(pictures.map((picture) => caption(picture, 1)));

  const searched = async (method: SearchMethod): Promise<HitRates> => {
    const ranks = await inParallel(pictures.length, 8, async (q) => {
      const data = packVectors(queries.subarray(q * dimensions, (q + 1) * dimensions));
      const reply = await search.search({ query: { case: "vector", value: { data } }, k: 10 });
      if (reply.plan?.method !== method) {
        throw new Error(`a search was answered by method ${reply.plan?.method}, not ${method}`);
      }
      return reply.hits.findIndex((hit) => hit.image?.imagePath === pictures[q]?.fileName);
    });
    return hitRates(ranks);
  };

  const computed = hitRates(exactRanks(stored, queries, dimensions));
  const exact = await searched(SearchMethod.EXACT);
  await createClient(IndexService, toStore.transport).ensureIndex({});
  const hnsw = await searched(SearchMethod.HNSW);
  return { pictures: pictures.length, computed, exact, hnsw };
}

/** Ranks count from 0; -1 is "not found". */
function hitRates(ranks: readonly number[]): HitRates {
  const within = (depth: number): number => ranks.filter((rank) => rank >= 0 && rank < depth).length;
  return Object.fromEntries(DEPTHS.map((depth) => [depth, (100 * within(depth)) / ranks.length])) as HitRates;
}

/** Rank of each query's own row; both are unit vectors, row after row. */
function exactRanks(stored: Float32Array, queries: Float32Array, dimensions: number): number[] {
  const dot = (row: number, query: number): number => {
    let sum = 0;
    for (let d = 0; d < dimensions; d++) {
      sum += (stored[row * dimensions + d] as number) * (queries[query * dimensions + d] as number);
    }
    return sum;
  };
  const rows = stored.length / dimensions;
  return Array.from({ length: queries.length / dimensions }, (_, query) => {
    const own = dot(query, query);
    let ahead = 0;
    for (let row = 0; row < rows; row++) if (row !== query && dot(row, query) > own) ahead++;
    return ahead;
  });
}

/** Results of `work` for 0 to count - 1, with `width` of them under way at once. */
async function inParallel<R>(
  count: number,
  width: number,
  work: (index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = Array.from({ length: count });
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) results[index] = await work(index);
  };
  await Promise.all(Array.from({ length: width }, lane));
  return results;
}
