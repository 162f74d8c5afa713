import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import {
  BadRowPolicy,
  ConflictPolicy,
  ElementType,
  Metric,
  type ExportResponse,
  type Filter,
} from "@kindred/contracts/vector-store/v1";
import { errorOf, openFixture, type Fixture } from "./fixture.ts";
import { DIMENSIONS, SPACE, wordVector } from "./fake-embedding.ts";
import { batchFrom, createCollection, keysFrom, pack, vectorOf, type BatchInit } from "./items-fixture.ts";

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

const WHOLE = { vector: true };
/** More than this come by COPY where the server takes it. */
const COPIED = 600;

const upsert = (items: BatchInit, rest: object = {}) =>
  fixture.vectors.upsert({ collection: "things", items, ...rest });

async function stored(name = "things"): Promise<{ key: string; vector: number[]; metadata: unknown }[]> {
  const items = await Array.fromAsync(fixture.vectors.export({ collection: name, projection: WHOLE }));
  return items.flatMap(({ items: batch }) => {
    const vectors = Buffer.from(batch?.vectors ?? []);
    const bytes = vectors.length / Math.max(1, batch?.keys.length ?? 0);
    return (batch?.keys ?? []).map((key, i) => ({
      key,
      vector: Array.from({ length: bytes / 4 }, (_, d) => vectors.readFloatLE(i * bytes + 4 * d)),
      metadata: batch?.metadata[i],
    }));
  });
}

async function table(): Promise<string> {
  const { rows } = await fixture.db.query<{ id: number }>("SELECT id FROM collections WHERE name = 'things'");
  return `collection_${rows[0]?.id}`;
}

const eq = (field: string, integer: number): Filter =>
  ({
    condition: {
      case: "eq",
      value: { field: { segments: [field] }, value: { value: { case: "integer", value: BigInt(integer) } } },
    },
  }) as unknown as Filter;

describe.each([
  ["few rows, as parameters", 20],
  ["many rows, by COPY where the server takes it", COPIED],
])("%s", (_, count) => {
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
    const { rows } = await fixture.db.query(`SELECT metadata, document FROM ${await table()}_items`);
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
  const native = () => fixture.db.capabilities.vector !== undefined;

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
    if (!native()) return console.log("not run: halfvec needs pgvector");
    await createCollection(fixture, { elementType: ElementType.HALFVEC });
    await upsert(batchFrom(0, count));
    expect((await stored()).map(({ vector }) => vector)).toEqual(
      Array.from({ length: count }, (_, i) => vectorOf(i).map((value) => Math.f16round(value))),
    );
  });

  test("what half precision cannot hold is a bad row", async () => {
    if (!native()) return console.log("not run: halfvec needs pgvector");
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
    if (!native()) return console.log("not run: bits need pgvector");
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

describe("UpdateMetadata", () => {
  const update = (rest: object) => fixture.vectors.updateMetadata({ collection: "things", ...rest });

  test("replaces or merges, and leaves the vectors' rows where they are", async () => {
    await createCollection(fixture);
    const batch = batchFrom(0, 3);
    await upsert({ ...batch, metadata: [{ a: 1, b: 2 }, { a: 1 }, {}] });
    const rowsOf = async () =>
      (
        await fixture.db.query(
          `SELECT key, ctid::text, xmin::text, updated_at FROM ${await table()}_vectors ORDER BY key`,
        )
      ).rows;
    const before = await rowsOf();
    const keys = keysFrom(0, 3);
    const merged = await update({
      keys,
      metadata: [{ b: null, c: { d: null } }, { a: 2 }, { e: "x" }],
      merge: true,
    });
    expect(merged.updated).toBe(3n);
    expect((await stored()).map(({ metadata }) => metadata)).toEqual([
      { a: 1, c: { d: null } },
      { a: 2 },
      { e: "x" },
    ]);
    await update({ keys: keys.slice(0, 2), metadata: [{ f: null }, {}], documents: ["text", ""] });
    expect((await stored()).map(({ metadata }) => metadata)).toEqual([{ f: null }, {}, { e: "x" }]);
    await update({ keys: keys.slice(0, 1), documents: [""] });
    expect(await rowsOf()).toEqual(before);
    const { rows } = await fixture.db.query(`SELECT key, document FROM ${await table()}_items ORDER BY key`);
    // The second one has nothing any more.
    expect(rows).toEqual([
      { key: keys[0], document: null },
      { key: keys[2], document: null },
    ]);
  });

  test("changes nothing when a key is missing, which it names", async () => {
    await createCollection(fixture);
    await upsert(batchFrom(0, 2));
    const error = await errorOf(update({ keys: [...keysFrom(0, 1), "nobody"], metadata: [{ a: 1 }, {}] }));
    expect(error).toMatchObject({ kind: "not-found", metadata: { key: "nobody" } });
    expect((await stored())[0]?.metadata).toEqual({ number: 0, seed: 1 });
  });

  test("refuses what cannot be meant", async () => {
    await createCollection(fixture);
    expect((await errorOf(update({ keys: ["a"] }))).violations[0]?.field).toBe("metadata");
    const error = await errorOf(update({ keys: ["a", "a"], metadata: [{}, {}] }));
    expect(error.violations[0]).toEqual({
      field: "keys[1]",
      description: "must be unique, is that of keys[0] too",
    });
  });

  test("at the same time of the same keys in other orders neither deadlocks nor loses a member", async () => {
    await createCollection(fixture);
    await upsert(batchFrom(0, 50));
    const keys = keysFrom(0, 50);
    await Promise.all(
      Array.from({ length: 6 }, (_, i) => {
        const order = i % 2 === 0 ? keys : keys.toReversed();
        return update({ keys: order, metadata: order.map(() => ({ [`m${i}`]: i })), merge: true });
      }),
    );
    for (const { metadata } of await stored())
      expect(metadata).toMatchObject({ m0: 0, m1: 1, m2: 2, m3: 3, m4: 4, m5: 5 });
  });
});

describe("DeleteItems", () => {
  const remove = (which: object) => fixture.vectors.deleteItems({ collection: "things", which } as never);

  test("by key", async () => {
    await createCollection(fixture);
    await upsert(batchFrom(0, 5));
    const keys = [...keysFrom(1, 2), "nobody"];
    expect(await remove({ case: "keys", value: { keys } })).toMatchObject({ deleted: 2n });
    expect((await stored()).map(({ key }) => key)).toEqual([0, 3, 4].flatMap((i) => keysFrom(i, 1)));
    const { rows } = await fixture.db.query(`SELECT count(*)::int AS count FROM ${await table()}_items`);
    expect(rows).toEqual([{ count: 3 }]);
  });

  test("by filter, more than one statement takes", async () => {
    await createCollection(fixture, { dimensions: 1 });
    for (let i = 0; i < 11_000; i += 5500) await upsert(batchFrom(i, 5500, 1));
    await upsert({ keys: ["without"], vectors: pack([1]) });
    const reply = await remove({ case: "filter", value: eq("seed", 1) });
    expect(reply.deleted).toBe(11_000n);
    expect((await stored()).map(({ key }) => key)).toEqual(["without"]);
    const all = await remove({
      case: "filter",
      value: { condition: { case: "and", value: { filters: [] } } },
    });
    expect(all.deleted).toBe(1n);
  }, 30_000);

  test("needs to be told which", async () => {
    await createCollection(fixture);
    const error = await errorOf(fixture.vectors.deleteItems({ collection: "things" }));
    expect(error.violations).toEqual([{ field: "which", description: "is required: keys or filter" }]);
  });
});

describe("Scroll", () => {
  test("gives every item once, by code point, and with filters", async () => {
    await createCollection(fixture);
    const keys = ["Z", "a", "B", "\u{1f600}", "\uffee", "é"];
    await upsert({
      keys,
      vectors: pack(...keys.map((_, i) => vectorOf(i))),
      metadata: keys.map((_, i) => ({ odd: i % 2 })),
    });
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await fixture.vectors.scroll({ collection: "things", pageSize: 4, pageToken });
      seen.push(...page.items.map(({ key }) => key));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(seen).toEqual(["B", "Z", "a", "é", "\uffee", "\u{1f600}"]);
    const odd = await fixture.vectors.scroll({ collection: "things", filter: eq("odd", 1), pageSize: 1 });
    expect(odd.items.map(({ key }) => key)).toEqual(["a"]);
    const other = await errorOf(
      fixture.vectors.scroll({ collection: "things", pageSize: 1, pageToken: odd.nextPageToken }),
    );
    expect(other.violations[0]?.field).toBe("page_token");
  });

  test("projects what is asked for", async () => {
    await createCollection(fixture);
    await upsert({ ...batchFrom(0, 1), documents: ["text"] });
    const page = async (projection: object) =>
      (await fixture.vectors.scroll({ collection: "things", projection })).items[0];
    expect(await page({ metadataFields: ["seed", "none"] })).toMatchObject({
      metadata: { seed: 1 },
      document: "text",
    });
    const bare = await page({ omitMetadata: true, omitDocument: true, vector: true });
    expect(bare?.metadata).toBeUndefined();
    expect(bare?.document).toBe("");
    expect(bare?.updatedAt).toBeDefined();
    expect(Buffer.from(bare?.vector ?? [])).toEqual(Buffer.from(pack(vectorOf(0))));
  });
});

describe("Export", () => {
  test("goes on behind a key", async () => {
    await createCollection(fixture);
    await upsert(batchFrom(0, 10));
    const rest = await Array.fromAsync(
      fixture.vectors.export({ collection: "things", afterKey: keysFrom(6, 1)[0] as string }),
    );
    expect(rest.flatMap(({ items }) => items?.keys)).toEqual(keysFrom(7, 3));
    expect(rest[0]?.items?.vectors).toHaveLength(0);
  });

  test("is one snapshot while others write", async () => {
    if (!fixture.db.capabilities.concurrentSessions)
      return console.log("not run: with one session for all an export is no snapshot");
    await createCollection(fixture);
    for (let i = 0; i < 6000; i += 3000) await upsert(batchFrom(i, 3000));
    const keys: string[] = [];
    const seeds = new Set<unknown>();
    for await (const { items } of fixture.vectors.export({
      collection: "things",
    }) as AsyncIterable<ExportResponse>) {
      if (keys.length === 0) {
        await upsert(batchFrom(3000, 3000, 4, 2));
        await upsert(batchFrom(6000, 1000, 4, 2));
        await fixture.vectors.deleteItems({
          collection: "things",
          which: { case: "keys", value: { keys: keysFrom(5000, 10) } },
        });
      }
      keys.push(...(items?.keys ?? []));
      for (const metadata of items?.metadata ?? []) seeds.add(metadata["seed"]);
    }
    expect(keys).toEqual(keysFrom(0, 6000));
    expect(seeds).toEqual(new Set([1]));
  }, 30_000);

  test("an export that is given up frees its connection", async () => {
    await createCollection(fixture);
    for (let i = 0; i < 6000; i += 3000) await upsert(batchFrom(i, 3000));
    for (let i = 0; i < 20; i++) {
      const leaving = new AbortController();
      const { signal } = leaving;
      for await (const { items } of fixture.vectors.export({ collection: "things" }, { signal })) {
        expect(items?.keys).toHaveLength(1000);
        break;
      }
      leaving.abort();
    }
    expect(await stored()).toHaveLength(6000);
    const { rows } = await fixture.db.query<{ count: number }>(
      "SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = 'vector-store-test' AND state LIKE 'idle in%'",
    );
    expect(rows[0]?.count).toBe(0);
  }, 30_000);
});

describe("the images catalogue", () => {
  test("is read by embedding id, and written by ImageService only", async () => {
    const added = await fixture.images.addImageWithEmbeddings({
      image: { imagePath: "a.jpg", description: "a red apple" },
    });
    const key = String(added.embeddingIds[0]);
    const { items } = await fixture.vectors.getItems({
      collection: "images",
      keys: [key],
      projection: WHOLE,
    });
    expect(items).toMatchObject([{ key, document: "a red apple", metadata: { text: "a red apple" } }]);
    expect(Buffer.from(items[0]?.vector ?? [])).toEqual(Buffer.from(pack([...wordVector("a red apple")])));
    const bad = await errorOf(fixture.vectors.getItems({ collection: "images", keys: ["1", "x"] }));
    expect(bad.violations).toEqual([
      { field: "keys[1]", description: 'must be an integer of 64 bits, is "x"' },
    ]);
    const which = { case: "keys" as const, value: { keys: [key] } };
    for (const call of [
      fixture.vectors.upsert({ collection: "images", items: batchFrom(0, 1, DIMENSIONS) }),
      fixture.vectors.deleteItems({ collection: "images", which }),
      fixture.vectors.updateMetadata({ collection: "images", keys: [key], metadata: [{}] }),
    ]) {
      const error = await errorOf(call);
      expect(error.kind).toBe("failed-precondition");
      expect(error.message).toContain("ImageService");
    }
  });
});

describe("registered tables", () => {
  afterEach(() => fixture.db.query("DROP TABLE IF EXISTS public.songs"));

  async function register(columns: string): Promise<void> {
    await fixture.db.query(`CREATE TABLE public.songs (${columns}, embedding vector(4) NOT NULL)`);
    await fixture.collections.registerCollection({
      name: "things",
      table: { schema: "public", table: "songs" },
    } as never);
  }

  test.each([20, COPIED])("%i keys and vectors are written, other columns are read", async (count) => {
    if (!fixture.db.capabilities.vector) return console.log("not run: needs pgvector");
    await register("id integer PRIMARY KEY, title text DEFAULT 'untitled'");
    const keys = Array.from({ length: count }, (_, i) => String(count - i));
    const vectors = pack(...keys.map((key) => vectorOf(Number(key))));
    expect(await upsert({ keys, vectors })).toMatchObject({ inserted: BigInt(count) });
    const items = await stored();
    expect(items.map(({ key }) => key)).toEqual(keys.toReversed());
    expect(items[0]).toEqual({ key: "1", vector: vectorOf(1), metadata: { title: "untitled" } });
    expect(await upsert({ keys, vectors })).toMatchObject({ replaced: BigInt(count) });
    const bad = { keys: ["2147483648", "1x", "-5"], vectors: pack(vectorOf(1), vectorOf(2), vectorOf(3)) };
    const reply = await upsert(bad, { badRows: BadRowPolicy.SKIP_ROW });
    expect(reply.rejected.map(({ position }) => position)).toEqual([0, 1]);
    expect((await stored())[0]?.key).toBe("-5");
    const error = await errorOf(upsert({ ...bad, metadata: [{}, {}, {}] }));
    expect(error.kind).toBe("failed-precondition");
  });

  test.each([3, COPIED])(
    "%i vectors of rows that are there are replaced or left alone, whatever else the table needs",
    async (count) => {
      if (!fixture.db.capabilities.vector) return console.log("not run: needs pgvector");
      await register("id integer PRIMARY KEY, title text NOT NULL");
      await fixture.db.query(
        `INSERT INTO public.songs SELECT i, 'song ' || i, '[9,9,9,9]' FROM generate_series(1, ${count}) i`,
      );
      const keys = Array.from({ length: count }, (_, i) => String(count - i));
      const vectors = pack(...keys.map((key) => vectorOf(Number(key))));
      expect(await upsert({ keys, vectors }, { onConflict: ConflictPolicy.SKIP })).toMatchObject({
        inserted: 0n,
        skipped: BigInt(count),
      });
      const taken = await errorOf(upsert({ keys, vectors }, { onConflict: ConflictPolicy.ERROR }));
      expect(taken.kind).toBe("already-exists");
      expect((await stored())[0]?.vector).toEqual([9, 9, 9, 9]);
      expect(await upsert({ keys, vectors })).toMatchObject({ inserted: 0n, replaced: BigInt(count) });
      expect((await stored()).at(-1)).toEqual({
        key: String(count),
        vector: vectorOf(count),
        metadata: { title: `song ${count}` },
      });
      // One that is new lacks a title; nothing of the batch is stored.
      const last = count + 1;
      const more = { keys: ["1", String(last)], vectors: pack([1, 1, 1, 1], vectorOf(last)) };
      expect((await errorOf(upsert(more))).message).toContain('give its column "title" a default');
      expect((await stored())[0]?.vector).toEqual(vectorOf(1));
    },
  );

  test.each([1, COPIED])(
    "%i rows that lack what the table needs are refused with a remedy",
    async (count) => {
      if (!fixture.db.capabilities.vector) return console.log("not run: needs pgvector");
      await register("id uuid PRIMARY KEY, title text NOT NULL");
      const keys = Array.from(
        { length: count },
        (_, i) => `00000000-0000-4000-8000-${String(i).padStart(12, "0")}`,
      );
      const error = await errorOf(upsert({ keys, vectors: pack(...keys.map((_, i) => vectorOf(i))) }));
      expect(error.kind).toBe("failed-precondition");
      expect(error.message).toContain('give its column "title" a default');
    },
  );
});
