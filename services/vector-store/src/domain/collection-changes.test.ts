import { describe, expect, test } from "@jest/globals";
import { changedCollection } from "./collection-changes.ts";
import type { Collection } from "./collection.ts";
import { parseSpaceId, type EmbeddingSpace } from "./embedding-space.ts";
import { AUTO_POLICY } from "./index-policy.ts";
import { managedLayout } from "./layout.ts";

const space = (id: string): EmbeddingSpace => parseSpaceId(id) as EmbeddingSpace;
const MINE = space("local:m@1:8:mean:l2:256");
const THEIRS = space("local:n@1:8:mean:l2:256");

const songs: Collection = {
  name: "songs",
  kind: "managed",
  dimensions: 8,
  elementType: "vector",
  metric: "cosine",
  space: undefined,
  recallTarget: 0.95,
  indexPolicy: AUTO_POLICY,
  textSearchConfig: undefined,
  hashPartitions: undefined,
  reembeddingSpaceId: undefined,
  layout: managedLayout("vector_store", 1, 1, "vector"),
  createdAt: new Date(0),
};
const empty = (): Promise<boolean> => Promise.resolve(false);
const filled = (): Promise<boolean> => Promise.resolve(true);
const unasked = (): Promise<boolean> => Promise.reject(new Error("asked whether there are vectors"));

test("what is not named stays", async () => {
  const policy = { ...songs, indexPolicy: { ...AUTO_POLICY, m: 24 } };
  const changed = await changedCollection(
    policy,
    { indexPolicy: { kind: "hnsw", efConstruction: 100 } },
    unasked,
  );
  expect(changed).toEqual({
    ...songs,
    indexPolicy: { ...AUTO_POLICY, kind: "hnsw", m: 24, efConstruction: 100 },
  });
  const { recallTarget, metric } = await changedCollection(
    songs,
    { recallTarget: 0.9, metric: "l2" },
    unasked,
  );
  expect([recallTarget, metric]).toEqual([0.9, "l2"]);
});

test("a policy that fits by itself and not to what is there is refused", async () => {
  const built = { ...songs, indexPolicy: { ...AUTO_POLICY, m: 48 } };
  await expect(
    changedCollection(built, { indexPolicy: { efConstruction: 64 } }, unasked),
  ).rejects.toMatchObject({
    kind: "invalid-argument",
    violations: [{ field: "collection.index_policy.ef_construction" }],
  });
});

test("a maintenance that is not named is the usual one: users' own tables are left to them", async () => {
  const to = async (collection: Collection): Promise<string> =>
    (await changedCollection(collection, { indexPolicy: { maintenance: undefined } }, unasked)).indexPolicy
      .maintenance;
  const manual = { ...songs, indexPolicy: { ...AUTO_POLICY, maintenance: "manual" as const } };
  expect(await to(manual)).toBe("automatic");
  expect(await to({ ...songs, kind: "registered" })).toBe("manual");
});

test("a quantization has to be one that the vectors can have", async () => {
  const wide = { ...songs, dimensions: 5000 };
  const to = (quantization: "none" | "halfvec" | "binary") =>
    changedCollection(wide, { indexPolicy: { quantization } }, unasked);
  await expect(to("halfvec")).rejects.toMatchObject({
    violations: [{ field: "collection.index_policy.quantization" }],
  });
  expect((await to("binary")).indexPolicy.quantization).toBe("binary");
});

test("a metric has to be of the element type", async () => {
  await expect(changedCollection(songs, { metric: "jaccard" }, unasked)).rejects.toMatchObject({
    kind: "invalid-argument",
    violations: [{ field: "collection.metric" }],
  });
  const bits = { ...songs, elementType: "bit", metric: "hamming" } as const;
  expect((await changedCollection(bits, { metric: "jaccard" }, unasked)).metric).toBe("jaccard");
});

describe("the space", () => {
  test("of an empty collection can be named", async () => {
    expect((await changedCollection(songs, { space: MINE }, empty)).space).toEqual(MINE);
  });
  test("of vectors that came without one cannot", async () => {
    await expect(changedCollection(songs, { space: MINE }, filled)).rejects.toMatchObject({
      kind: "failed-precondition",
    });
  });
  test("of a registered table can, for its owner knows", async () => {
    const registered = { ...songs, kind: "registered" } as const;
    expect((await changedCollection(registered, { space: MINE }, unasked)).space).toEqual(MINE);
  });
  test("does not change, and may be named again", async () => {
    const pinned = { ...songs, space: MINE };
    expect((await changedCollection(pinned, { space: MINE }, unasked)).space).toEqual(MINE);
    await expect(changedCollection(pinned, { space: THEIRS }, unasked)).rejects.toMatchObject({
      kind: "failed-precondition",
      message: expect.stringMatching(/"songs" is "local:m@.*"local:n@/),
    });
  });
  test("has to be of as many dimensions", async () => {
    const wide = space("local:m@1:9:mean:l2:256");
    await expect(changedCollection(songs, { space: wide }, unasked)).rejects.toMatchObject({
      kind: "invalid-argument",
      violations: [{ field: "collection.space_id" }],
    });
  });
});
