import { expect, test } from "@jest/globals";
import { KindredError } from "@kindred/errors";
import type { Generation, Retrieval, RetrievedExample } from "../generation.ts";
import type { RetrievalQuery } from "./ports.ts";
import { replayRetrieval } from "./replay-retrieval.ts";

const RETRIEVAL: Retrieval = {
  query: "",
  k: 0,
  threshold: undefined,
  spaceId: "old",
  method: "hnsw",
  indexName: "",
  efSearch: 40,
  probes: 0,
  expectedRecall: 0,
};
const example = (imageId: bigint, rank: number): RetrievedExample => ({
  imageId,
  imagePath: `${imageId}.png`,
  caption: "",
  similarity: 1 / rank,
  rank,
});

/** A replay of such a generation, where images 1 to 9 are in the catalogue and 1, 2, 3 are nearest. */
async function replay(
  generation: Pick<Generation, "retrievedExamples" | "retrieval"> | undefined,
  options: { k?: number; exact?: boolean; spaceId?: string } = {},
) {
  const asked: RetrievalQuery[] = [];
  const lookedFor: bigint[] = [];
  let most = 0;
  let now = 0;
  const result = await replayRetrieval(
    {
      store: {
        find: async () => (generation ? ({ prompt: "the prompt", ...generation } as Generation) : undefined),
      },
      examples: {
        retrieve: async (query) => {
          asked.push(query);
          return {
            examples: [example(1n, 1), example(2n, 2), example(3n, 3)],
            retrieval: { ...RETRIEVAL, spaceId: options.spaceId ?? "old" },
          };
        },
        hasImage: async ({ imageId }) => {
          lookedFor.push(imageId);
          most = Math.max(most, ++now);
          await new Promise((resolve) => setImmediate(resolve));
          now--;
          return imageId < 10n;
        },
      },
    },
    17n,
    { k: options.k, exact: options.exact ?? false },
    {},
  );
  return { result, asked, lookedFor, most };
}

test.each<[string, Retrieval | undefined, number, number | undefined, Partial<RetrievalQuery>]>([
  ["the prompt, and as many as there were", undefined, 4, undefined, { text: "the prompt", k: 4 }],
  ["10 where there were none", undefined, 0, undefined, { k: 10 }],
  [
    "what was asked for then",
    { ...RETRIEVAL, query: "q", k: 6, threshold: 0 },
    4,
    undefined,
    { text: "q", k: 6, threshold: 0 },
  ],
  [
    "as many as are wanted now",
    { ...RETRIEVAL, k: 6 },
    4,
    2,
    { text: "the prompt", k: 2, threshold: undefined },
  ],
  ["no more than a search gives", { ...RETRIEVAL, k: 5_000 }, 4, undefined, { k: 1000 }],
])("retrieves %s", async (_, retrieval, count, k, expected) => {
  const retrievedExamples = Array.from({ length: count }, (__, i) => example(BigInt(i + 1), i + 1));
  const { asked } = await replay({ retrievedExamples, retrieval }, k === undefined ? {} : { k });
  expect(asked).toHaveLength(1);
  expect(asked[0]).toMatchObject({ exact: false, ...expected });
});

test("compares by rank, and asks the catalogue only for what is gone, some at a time", async () => {
  const gone = Array.from({ length: 40 }, (_, i) => example(BigInt(i + 4), i + 3));
  const retrievedExamples = [...gone, example(1n, 1), example(3n, 2)];
  const { result, lookedFor, most } = await replay({ retrievedExamples, retrieval: RETRIEVAL });
  expect(result.examplesThen.map(({ rank }) => rank)).toEqual(Array.from({ length: 42 }, (_, i) => i + 1));
  expect(result.changes.slice(0, 4)).toMatchObject([
    { imageId: 1n, kind: "same" },
    { imageId: 2n, kind: "added" },
    { imageId: 3n, kind: "moved" },
    { imageId: 4n, kind: "dropped" },
  ]);
  expect(result.changes.filter(({ kind }) => kind === "deleted")).toHaveLength(34);
  expect(lookedFor).toEqual(gone.map(({ imageId }) => imageId));
  expect(most).toBe(8);
  expect(result).toMatchObject({ overlap: 2 / 42, spaceChanged: false });
});

test("says when another space is searched, where both are known", async () => {
  const generation = { retrievedExamples: [], retrieval: RETRIEVAL };
  expect((await replay(generation, { spaceId: "new" })).result.spaceChanged).toBe(true);
  expect((await replay(generation, { spaceId: "" })).result.spaceChanged).toBe(false);
  const unknown = { retrievedExamples: [], retrieval: { ...RETRIEVAL, spaceId: "" } };
  expect((await replay(unknown)).result.spaceChanged).toBe(false);
  expect((await replay({ ...unknown, retrieval: undefined })).result).toMatchObject({
    spaceChanged: false,
    retrievalThen: undefined,
  });
});

test("exact is passed on", async () => {
  const { asked } = await replay({ retrievedExamples: [], retrieval: undefined }, { exact: true });
  expect(asked[0]?.exact).toBe(true);
});

test("a generation that is not there retrieves nothing", async () => {
  const error = await replay(undefined).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(KindredError);
  expect(error).toMatchObject({ kind: "not-found" });
});
