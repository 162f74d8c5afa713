import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createClient, type Client } from "@connectrpc/connect";
import { EmbeddingService, Priority } from "@kindred/contracts/embedding/v1";
import { ImageService, IndexService, SearchMethod, SearchService } from "@kindred/contracts/vector-store/v1";
import { openChannel, packVectors, unpackVectors, type Channel } from "@kindred/rpc";
import { describeWithSharedData, sharedData, startStack, type Stack } from "@kindred/testing";
import { readCoco, type CocoPicture } from "./coco.ts";

const DEPTHS = [1, 5, 10] as const;
type HitRates = Record<(typeof DEPTHS)[number], number>;

/** Percent of the pictures that were found at each depth; ranks count from 0, -1 is "not found". */
function hitRates(ranks: readonly number[]): HitRates {
  const within = (depth: number): number => ranks.filter((rank) => rank >= 0 && rank < depth).length;
  return Object.fromEntries(DEPTHS.map((depth) => [depth, (100 * within(depth)) / ranks.length])) as HitRates;
}

/** Rank of each query's own picture by exact dot products in double precision; rows are unit vectors. */
function exactRanks(stored: Float32Array, queries: Float32Array, dimensions: number): number[] {
  const count = stored.length / dimensions;
  return Array.from({ length: queries.length / dimensions }, (_, q) => {
    const scores = new Float64Array(count);
    for (let row = 0; row < count; row++) {
      let sum = 0;
      for (let d = 0; d < dimensions; d++) {
        sum += (stored[row * dimensions + d] as number) * (queries[q * dimensions + d] as number);
      }
      scores[row] = sum;
    }
    const own = scores[q] as number;
    return scores.reduce((ahead, score) => ahead + (score > own ? 1 : 0), 0);
  });
}

async function inParallel<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = Array.from({ length: items.length });
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++)
      results[index] = await work(items[index] as T);
  };
  await Promise.all(Array.from({ length: width }, lane));
  return results;
}

describeWithSharedData(
  "coco_captions_val2017.json",
  "retrieval on COCO: a picture's second caption finds its first",
  () => {
    let stack: Stack;
    let channels: Channel[];
    let search: Client<typeof SearchService>;
    let pictures: CocoPicture[];
    let queryVectors: Float32Array;
    let dimensions: number;
    let exact: HitRates;

    beforeAll(async () => {
      pictures = readCoco(sharedData("coco_captions_val2017.json") as string).filter(
        (p) => p.captions.length >= 2,
      );
      stack = await startStack({ services: ["embedding", "vector-store"] });
      channels = [
        openChannel({ address: stack.addresses["embedding"] as string }),
        openChannel({ address: stack.addresses["vector-store"] as string }),
      ];
      const [embeddingChannel, storeChannel] = channels as [Channel, Channel];
      const embedding = createClient(EmbeddingService, embeddingChannel.transport);
      search = createClient(SearchService, storeChannel.transport);
      const images = createClient(ImageService, storeChannel.transport);

      const added = await images.batchAddImages(
        (async function* () {
          for (let start = 0; start < pictures.length; start += 500) {
            yield {
              images: pictures.slice(start, start + 500).map((picture) => ({
                image: { imagePath: picture.fileName, description: picture.captions[0]?.text ?? "" },
                embeddings: [
                  { key: "first", source: { case: "text" as const, value: picture.captions[0]?.text ?? "" } },
                ],
              })),
            };
          }
        })(),
        { timeoutMs: 300_000 },
      );
      expect(added.imagesAdded).toBe(BigInt(pictures.length));

      const embed = async (texts: string[]): Promise<Float32Array> => {
        const reply = await embedding.embed({ texts, priority: Priority.BULK }, { timeoutMs: 300_000 });
        dimensions = reply.space?.dimensions as number;
        return unpackVectors(reply.vectors, dimensions);
      };
      const stored = await embed(pictures.map((p) => p.captions[0]?.text as string));
      queryVectors = await embed(pictures.map((p) => p.captions[1]?.text as string));
      exact = hitRates(exactRanks(stored, queryVectors, dimensions));
    }, 600_000);

    afterAll(async () => {
      for (const channel of channels ?? []) await channel[Symbol.asyncDispose]();
      await stack?.[Symbol.asyncDispose]();
    });

    async function measured(method: SearchMethod): Promise<HitRates> {
      const ranks = await inParallel([...pictures.keys()], 8, async (q) => {
        const vector = packVectors(queryVectors.subarray(q * dimensions, (q + 1) * dimensions));
        const reply = await search.search({ query: { case: "vector", value: { data: vector } }, k: 10 });
        expect(reply.plan?.method).toBe(method);
        return reply.hits.findIndex((hit) => hit.image?.imagePath === pictures[q]?.fileName);
      });
      return hitRates(ranks);
    }

    test("the exact computation finds what the model is known to find", () => {
      // Bounds, not targets: a broken pooling or a swapped caption falls far below them.
      expect(exact[1]).toBeGreaterThan(35);
      expect(exact[10]).toBeGreaterThan(65);
    });

    test("exact search is within 0.3 points of it", async () => {
      const found = await measured(SearchMethod.EXACT);
      for (const depth of DEPTHS) expect(Math.abs(found[depth] - exact[depth])).toBeLessThanOrEqual(0.3);
    }, 300_000);

    test("a text finds what its vector finds", async () => {
      for (const q of [0, 1, 17, 500, 4_000]) {
        const text = pictures[q]?.captions[1]?.text as string;
        const vector = packVectors(queryVectors.subarray(q * dimensions, (q + 1) * dimensions));
        const [byText, byVector] = await Promise.all([
          search.search({ query: { case: "text", value: text }, k: 10 }),
          search.search({ query: { case: "vector", value: { data: vector } }, k: 10 }),
        ]);
        expect(byText.hits.map((hit) => hit.image?.imagePath)).toEqual(
          byVector.hits.map((hit) => hit.image?.imagePath),
        );
      }
    });

    test("search through the HNSW index is within 1 point of it", async () => {
      const storeChannel = (channels as [Channel, Channel])[1];
      const built = await createClient(IndexService, storeChannel.transport).ensureIndex(
        {},
        { timeoutMs: 300_000 },
      );
      expect(built.built).toBe(true);
      const found = await measured(SearchMethod.HNSW);
      for (const depth of DEPTHS) expect(Math.abs(found[depth] - exact[depth])).toBeLessThanOrEqual(1);
    }, 300_000);
  },
);
