import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { BadRowPolicy, ConflictPolicy, ElementType, Metric } from "@kindred/contracts/vector-store/v1";
import { DIMENSIONS, SPACE, wordVector } from "./fake-embedding.ts";
import { errorOf, openFixture, type Fixture } from "./fixture.ts";
import {
  batchFrom,
  COPIED,
  createCollection,
  hasVector,
  keysFrom,
  pack,
  storedItems,
  tablesOf,
  vectorOf,
  WHOLE,
  type BatchInit,
} from "./items-fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
}, 60_000);
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
});
afterEach(async () => {
  await fixture.clear();
});

const upsert = (items: BatchInit, rest: object = {}) =>
  fixture.vectors.upsert({ collection: "things", items, ...rest });
const stored = () => storedItems(fixture);

describe.each([
  ["few rows, as parameters", 20],
  ["many rows, by COPY where the server takes it", COPIED],
])("%s", (_rows, count) => {
  test("are given back as they came, by key", async () => {
    await createCollection(fixture);
    const shuffled = batchFrom(0, count);
    const reversed: BatchInit = {
      keys: shuffled.keys?.toReversed() ?? [],
      vectors: pack(...Array.from({ length: count }, (_, i) => vectorOf(count - 1 - i))),
      metadata: shuffled.metadata?.toReversed() ?? [],
    };
    expect(await upsert(reversed)).toMatchObject({ inserted: BigInt(count), replaced: 0n, skipped: 0n });
    expect(await stored()).toEqual(
      keysFrom(0, count).map((key, i) => ({
        key,
        vector: vectorOf(i),
        metadata: { number: i, seed: 1 },
      })),
    );
  });

  test.each([
    [ConflictPolicy.UNSPECIFIED, { inserted: 10n, replaced: BigInt(count), skipped: 0n }, 2],
    [ConflictPolicy.REPLACE, { inserted: 10n, replaced: BigInt(count), skipped: 0n }, 2],
    [ConflictPolicy.SKIP, { inserted: 10n, replaced: 0n, skipped: BigInt(count) }, 1],
  ])("conflict policy %s on keys that are there", async (onConflict, counts, seedOfOld) => {
    await createCollection(fixture);
    await upsert(batchFrom(0, count));
    expect(await upsert(batchFrom(0, count + 10, 4, 2), { onConflict })).toMatchObject(counts);
    const items = await stored();
    expect(items).toHaveLength(count + 10);
    expect(items[0]).toEqual({
      key: keysFrom(0, 1)[0],
      vector: vectorOf(0, 4, seedOfOld),
      metadata: { number: 0, seed: seedOfOld },
    });
    expect(items.at(-1)?.vector).toEqual(vectorOf(count + 9, 4, 2));
  });

  test("conflict policy ERROR names the first key that is there and stores nothing", async () => {
    await createCollection(fixture);
    await upsert(batchFrom(count - 1, 2));
    const error = await errorOf(upsert(batchFrom(0, count + 1, 4, 2), { onConflict: ConflictPolicy.ERROR }));
    expect(error).toMatchObject({
      kind: "already-exists",
      metadata: { key: keysFrom(count - 1, 1)[0], field: `items.keys[${count - 1}]` },
    });
    expect(await stored()).toHaveLength(2);
  });

  test("replacing without metadata removes what was there", async () => {
    await createCollection(fixture);
    await upsert(batchFrom(0, count));
    const { keys, vectors } = batchFrom(0, count, 4, 2) as { keys: string[]; vectors: Uint8Array };
    await upsert({ keys, vectors, documents: keys.map((_, i) => (i === 3 ? "a text" : "")) });
    const { rows } = await fixture.db.query(
      `SELECT metadata, document FROM ${await tablesOf(fixture)}_items`,
    );
    expect(rows).toEqual([{ metadata: {}, document: "a text" }]);
    expect((await stored())[5]).toMatchObject({ vector: vectorOf(5, 4, 2), metadata: {} });
  });
});

describe("bad rows", () => {
  const bad: BatchInit = {
    keys: ["good", "", "good", "nan", "infinite", "zero", "nul\0", "well", "json", "x".repeat(513), "last"],
    vectors: pack(
      [1, 2, 3, 4],
      [1, 2, 3, 4],
      [1, 2, 3, 4],
      [1, Number.NaN, 3, 4],
      [1, 2, Number.NEGATIVE_INFINITY, 4],
      [0, 0, 0, 0],
      ...Array.from({ length: 5 }, () => [1, 2, 3, 4]),
    ),
    metadata: Array.from({ length: 11 }, (_, i) => (i === 8 ? { text: "\0" } : { i })),
  };

  test("reject the batch, which names them", async () => {
    await createCollection(fixture);
    const error = await errorOf(upsert(bad));
    expect(error.kind).toBe("invalid-argument");
    expect(error.violations.map(({ field }) => field)).toEqual([
      "items.keys[1]",
      "items.keys[2]",
      "items.vectors[3]",
      "items.vectors[4]",
      "items.vectors[5]",
      "items.keys[6]",
      "items.metadata[8]",
      "items.keys[9]",
    ]);
    expect(error.message).toContain("items.vectors[3] must hold finite numbers only, value 1 is NaN");
    expect(await stored()).toEqual([]);
  });

  test("are left out where the caller says so, and named by position", async () => {
    await createCollection(fixture);
    const reply = await upsert(bad, { badRows: BadRowPolicy.SKIP_ROW });
    expect(reply.inserted).toBe(3n);
    expect(reply.rejected.map(({ position, key }) => [position, key])).toEqual(
      [1, 2, 3, 4, 5, 6, 8, 9].map((position) => [position, (bad.keys as string[])[position]]),
    );
    expect(reply.rejected[1]?.reason).toBe("keys must be unique within the batch, is that of keys[0] too");
    expect((await stored()).map(({ key }) => key)).toEqual(["good", "last", "well"]);
  });

  test("of all of a batch are named as far as there is room", async () => {
    await createCollection(fixture);
    const keys = keysFrom(0, 5000);
    const error = await errorOf(upsert({ keys, vectors: new Uint8Array(5000 * 16) }));
    expect(error.violations).toHaveLength(21);
    expect(error.violations[20]).toEqual({
      field: "items",
      description: "has 4980 more rows that cannot be stored",
    });
  });

  test("a zero vector is none where the metric is not cosine", async () => {
    await createCollection(fixture, { metric: Metric.L2 });
    expect(await upsert({ keys: ["zero"], vectors: pack([0, 0, 0, 0]) })).toMatchObject({ inserted: 1n });
  });

  test("columns of other lengths are refused, whatever the policy", async () => {
    await createCollection(fixture);
    const error = await errorOf(
      upsert(
        { keys: ["a", "b"], vectors: pack([1, 2, 3, 4]), metadata: [{}], documents: ["x", "y", "z"] },
        { badRows: BadRowPolicy.SKIP_ROW },
      ),
    );
    expect(error.violations).toEqual([
      {
        field: "items.vectors",
        description: "must hold 2 vectors of 4 little-endian float32 values (32 bytes), has 16 bytes",
      },
      { field: "items.metadata", description: "must be one a key (2) or none, are 1" },
      { field: "items.documents", description: "must be one a key (2) or none, are 3" },
    ]);
  });

  test("what is missing or unknown of a request is named", async () => {
    const error = await errorOf(
      fixture.vectors.upsert({ badRows: 9 as BadRowPolicy, onConflict: 7 as ConflictPolicy }),
    );
    expect(error.violations.map(({ field }) => field)).toEqual([
      "collection",
      "items",
      "on_conflict",
      "bad_rows",
    ]);
    expect((await errorOf(upsert(batchFrom(0, 1)))).kind).toBe("not-found");
  });
});

describe("texts", () => {
  test("are embedded in one call and kept as documents; what is stored is not embedded again", async () => {
    await createCollection(fixture, { dimensions: DIMENSIONS });
    const items = { keys: ["a", "b"], texts: ["red apple", "green pear"], documents: ["", "a pear"] };
    expect(await upsert(items)).toMatchObject({ inserted: 2n });
    expect(fixture.embedding.calls).toEqual([["red apple", "green pear"]]);
    const reply = await fixture.vectors.getItems({
      collection: "things",
      keys: ["b", "a", "c"],
      projection: WHOLE,
    });
    expect(reply.items.map(({ key, document }) => [key, document])).toEqual([
      ["b", "a pear"],
      ["a", "red apple"],
    ]);
    expect(Buffer.from(reply.items[1]?.vector ?? [])).toEqual(
      Buffer.from(pack([...wordVector("red apple")])),
    );

    const more = { keys: ["c", "a"], texts: ["blue plum", "red apple"] };
    const again = await upsert(more, { onConflict: ConflictPolicy.SKIP });
    expect(again).toMatchObject({ inserted: 1n, skipped: 1n });
    expect(fixture.embedding.calls[1]).toEqual(["blue plum"]);
    const error = await errorOf(upsert(more, { onConflict: ConflictPolicy.ERROR }));
    expect(error).toMatchObject({ kind: "already-exists", metadata: { field: "items.keys[0]" } });
    expect(fixture.embedding.calls).toHaveLength(2);
  });

  test("pin the space, and others are refused, naming both", async () => {
    await createCollection(fixture, { dimensions: DIMENSIONS });
    await upsert({ keys: ["a"], texts: ["red apple"] });
    const { collection } = await fixture.collections.getCollection({ name: "things" });
    expect(collection?.spaceId).toBe(SPACE.id);
    const other = SPACE.id.replace("words", "letters");
    const items = { keys: ["b"], vectors: pack(vectorOf(1, DIMENSIONS)) };
    const error = await errorOf(upsert(items, { spaceId: other }));
    expect(error.kind).toBe("failed-precondition");
    expect(error.message).toContain(other);
    expect(error.message).toContain(SPACE.id);
    expect(await upsert(items, { spaceId: SPACE.id })).toMatchObject({ inserted: 1n });
    expect(await upsert({ ...items, keys: ["c"] })).toMatchObject({ inserted: 1n });
  });

  test("of a space that is not the collection's are refused", async () => {
    await createCollection(fixture, { dimensions: DIMENSIONS });
    const other = SPACE.id.replace("words", "letters");
    await upsert({ keys: ["a"], vectors: pack(vectorOf(1, DIMENSIONS)) }, { spaceId: other });
    const error = await errorOf(upsert({ keys: ["b"], texts: ["red apple"] }));
    expect(error.kind).toBe("failed-precondition");
    expect(error.message).toContain(other);
    expect(error.message).toContain(SPACE.id);
  });

  test("a space id has to say what it is, and to fit", async () => {
    await createCollection(fixture);
    const error = await errorOf(upsert(batchFrom(0, 1), { spaceId: "mine" }));
    expect(error.violations[0]?.field).toBe("space_id");
    const wide = await errorOf(upsert(batchFrom(0, 1), { spaceId: SPACE.id }));
    expect(wide).toMatchObject({ kind: "failed-precondition" });
    expect(wide.message).toContain("dimensions");
    expect(await stored()).toEqual([]);
  });
});

describe("every column type", () => {
  test("8,192 dimensions", async () => {
    await createCollection(fixture, { dimensions: 8192 });
    for (const count of [3, 300]) {
      await upsert(batchFrom(0, count, 8192));
      expect((await stored()).map(({ vector }) => vector[8191])).toEqual(
        Array.from({ length: count }, (_, i) => vectorOf(i, 8192)[8191]),
      );
    }
  });

  test.each([3, COPIED])("halfvec, %i rows", async (count) => {
    if (!hasVector(fixture)) return;
    await createCollection(fixture, { elementType: ElementType.HALFVEC });
    await upsert(batchFrom(0, count));
    expect((await stored()).map(({ vector }) => vector)).toEqual(
      Array.from({ length: count }, (_, i) => vectorOf(i).map((value) => Math.f16round(value))),
    );
  });

  test("what half precision cannot hold is a bad row", async () => {
    if (!hasVector(fixture)) return;
    await createCollection(fixture, { elementType: ElementType.HALFVEC });
    const items = {
      keys: ["a", "b", "c"],
      vectors: pack([65519, 0, 0, 0], [0, 65520, 0, 0], [1e-9, 0, 0, 0]),
    };
    const reply = await upsert(items, { badRows: BadRowPolicy.SKIP_ROW });
    expect(reply.rejected.map(({ position, reason }) => [position, reason])).toEqual([
      [1, "vectors must hold numbers up to 65504, value 1 is 65520"],
      [2, "vectors must not be the zero vector in half precision"],
    ]);
    expect((await stored()).map(({ vector }) => vector)).toEqual([[65504, 0, 0, 0]]);
  });

  test.each([3, COPIED])("bits, %i rows", async (count) => {
    if (!hasVector(fixture)) return;
    await createCollection(fixture, { elementType: ElementType.BIT, dimensions: 12, metric: Metric.HAMMING });
    const vectors = Buffer.alloc(2 * count);
    for (let i = 0; i < count; i++) vectors.writeUInt16BE((i << 4) & 0xffff, 2 * i);
    const keys = keysFrom(0, count);
    expect(await upsert({ keys, vectors })).toMatchObject({ inserted: BigInt(count) });
    const batches = await Array.fromAsync(
      fixture.vectors.export({ collection: "things", projection: WHOLE }),
    );
    expect(Buffer.concat(batches.map(({ items }) => items?.vectors ?? Buffer.of()))).toEqual(vectors);
    vectors[1] = 0x0f;
    const error = await errorOf(upsert({ keys, vectors }));
    expect(error.violations[0]?.field).toBe("items.vectors[0]");
  });
});
