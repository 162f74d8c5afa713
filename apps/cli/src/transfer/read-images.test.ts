import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import {
  CollectionService,
  EmbeddingSchema,
  ImageService,
  VectorService,
} from "@kindred/contracts/vector-store/v1";
import { inParallel, readImages, type ReadDeps } from "./read-images.ts";

const vectorOf = (id: bigint): Uint8Array => new Uint8Array(new Float32Array([Number(id), 1]).buffer);

interface Faults {
  /** Answers of GetImage that fail, by the id of the image. */
  failing?: Map<bigint, ConnectError[]>;
  goneVectors?: ReadonlySet<string>;
  /** Of each call of GetCollection, the last one for all further ones. */
  spaces?: string[];
}

/** Two pages of images; each has two embeddings, whose ids are a hundred times its own, and one more. */
function catalogue({ failing = new Map(), goneVectors = new Set(), spaces = ["s"] }: Faults) {
  const transport = createRouterTransport((router) => {
    router.service(CollectionService, {
      getCollection: () => ({
        collection: { name: "images", spaceId: (spaces.length > 1 ? spaces.shift() : spaces[0]) ?? "" },
      }),
    });
    router.service(ImageService, {
      listImages: ({ pageToken }) =>
        pageToken === ""
          ? {
              images: [
                { id: 1n, imagePath: "1" },
                { id: 2n, imagePath: "2" },
              ],
              nextPageToken: "p",
            }
          : { images: [{ id: 3n, imagePath: "3" }] },
      getImage: ({ key }) => {
        const id = key.value as bigint;
        const error = failing.get(id)?.shift();
        if (error) throw error;
        return {
          image: { id, imagePath: String(id) },
          embeddings: [id * 100n, id * 100n + 1n].map((each) =>
            create(EmbeddingSchema, { id: each, key: String(each), spaceId: "s" }),
          ),
        };
      },
    });
    router.service(VectorService, {
      getItems: ({ keys }) => ({
        items: keys
          .filter((key) => !goneVectors.has(key))
          .map((key) => ({ key, vector: vectorOf(BigInt(key)) })),
      }),
    });
  });
  return {
    images: createClient(ImageService, transport),
    vectors: createClient(VectorService, transport),
    collections: createClient(CollectionService, transport),
  };
}

const notes: string[] = [];
const deps: ReadDeps = {
  sleep: () => Promise.resolve(),
  now: () => performance.now(),
  onWaiting: (reason) => notes.push(reason),
  onResumed: () => notes.push("resumed"),
  patienceMs: 60_000,
  signal: new AbortController().signal,
};
const ALL = { sourceDataset: "", tags: [], vector: true };

async function read(faults: Faults, wanted = ALL) {
  notes.length = 0;
  const pages = await Array.fromAsync(readImages(catalogue(faults), wanted, deps));
  return pages.flat().map(({ image, embeddings }) => ({
    path: image.imagePath,
    embeddings: embeddings.map(({ embedding, vector }) => [embedding.key, vector]),
  }));
}

const whole = (id: bigint) => ({
  path: String(id),
  embeddings: [id * 100n, id * 100n + 1n].map((each) => [String(each), vectorOf(each)]),
});

test("every image has its embeddings with their own vectors", async () => {
  expect(await read({})).toEqual([whole(1n), whole(2n), whole(3n)]);
});

test("without vectors none is asked for", async () => {
  const images = await read({ goneVectors: new Set(["100"]) }, { ...ALL, vector: false });
  expect(images[0]).toEqual({
    path: "1",
    embeddings: [
      ["100", undefined],
      ["101", undefined],
    ],
  });
});

test("what is deleted meanwhile is left out", async () => {
  const gone = new ConnectError("gone", Code.NotFound);
  expect(await read({ failing: new Map([[2n, [gone]]]), goneVectors: new Set(["301"]) })).toEqual([
    whole(1n),
    { path: "3", embeddings: whole(3n).embeddings.slice(0, 1) },
  ]);
});

test("a service that is away for a moment is waited for, and what it refuses ends it", async () => {
  const away = new ConnectError("away", Code.Unavailable);
  expect(await read({ failing: new Map([[1n, [away, away]]]) })).toHaveLength(3);
  expect(notes.at(-1)).toBe("resumed");
  const refusal = new ConnectError("no", Code.FailedPrecondition);
  await expect(read({ failing: new Map([[1n, [refusal]]]) })).rejects.toMatchObject({
    kind: "failed-precondition",
  });
});

test("vectors of another space than their rows say are not handed out", async () => {
  await expect(read({ spaces: ["s", "t"] })).rejects.toMatchObject({
    kind: "aborted",
    message: expect.stringContaining("moved to another embedding space"),
  });
});

test("in parallel, in order, and no further after a failure", async () => {
  let running = 0;
  let most = 0;
  const results = await inParallel([5, 1, 3, 2, 4], 2, async (value, i) => {
    most = Math.max(most, ++running);
    await sleep(value);
    running -= 1;
    return `${i}:${value}`;
  });
  expect(results).toEqual(["0:5", "1:1", "2:3", "3:2", "4:4"]);
  expect(most).toBe(2);
  const begun: number[] = [];
  const failing = inParallel([1, 2, 3, 4], 1, (value) => {
    begun.push(value);
    return value === 2 ? Promise.reject(new Error("two")) : Promise.resolve(value);
  });
  await expect(failing).rejects.toThrow("two");
  expect(begun).toEqual([1, 2]);
});
