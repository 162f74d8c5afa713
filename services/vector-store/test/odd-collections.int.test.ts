import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { BadRowPolicy, Metric, SearchMethod, type SearchResponse } from "@kindred/contracts/vector-store/v1";
import type { JsonObject } from "../src/domain/image.ts";
import { errorOf, openFixture, type Fixture } from "./fixture.ts";
import { createCollection, pack } from "./items-fixture.ts";

// Tables and items at the edges of what can be stored.

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
}, 60_000);
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
});
afterEach(async () => {
  await fixture.clear();
  await fixture.db.query("DROP TABLE IF EXISTS public.odd");
});

const keysOf = ({ hits }: SearchResponse): string[] => hits.map(({ key }) => key);
const byVector = (...numbers: number[]) => ({ case: "vector" as const, value: { data: pack(numbers) } });
const byKey = (value: string) => ({ case: "key" as const, value });

async function register(columns: string, rows: string): Promise<void> {
  await fixture.db.query(`CREATE TABLE public.odd (${columns})`);
  await fixture.db.query(`INSERT INTO public.odd VALUES ${rows}`);
  await fixture.collections.registerCollection({ table: { schema: "public", table: "odd" } });
}

describe("rows without a vector", () => {
  const COLUMNS = "id integer PRIMARY KEY, v vector(2), kind text, words text";
  const ROWS =
    "(1, NULL, 'a', 'cat'), (2, '[1,0]', 'a', 'cat'), (3, NULL, 'b', 'cat'), (4, '[0,1]', 'b', 'cat')";

  test("are no hits, by any metric or index, and however few others there are", async () => {
    await register(COLUMNS, ROWS);
    for (const metric of [Metric.COSINE, Metric.L2, Metric.L1, Metric.INNER_PRODUCT]) {
      const reply = await fixture.search.search({ collection: "odd", query: byVector(1, 0.5), metric });
      expect(keysOf(reply)).toEqual(["2", "4"]);
      expect(reply.plan?.complete).toBe(true);
    }
    await fixture.db.query("CREATE INDEX ON public.odd USING hnsw (v vector_cosine_ops)");
    fixture.store.forgetState();
    const scanned = await fixture.search.search({ collection: "odd", query: byVector(1, 0.5), k: 2 });
    expect(scanned.plan?.method).toBe(SearchMethod.HNSW);
    expect(keysOf(scanned)).toEqual(["2", "4"]);
  });

  test("are in no group and in no list of documents that are joined", async () => {
    await fixture.db.query(`CREATE TABLE public.odd (${COLUMNS})`);
    await fixture.db.query(`INSERT INTO public.odd VALUES ${ROWS}, (5, NULL, 'c', 'cat')`);
    await fixture.collections.registerCollection({
      table: { schema: "public", table: "odd", documentColumn: "words" },
    });
    const field = { segments: ["kind"] };
    const grouped = await fixture.search.search({
      collection: "odd",
      query: byVector(1, 0.5),
      groupBy: { field, groupSize: 2 },
    });
    expect(keysOf(grouped)).toEqual(["2", "4"]);
    const joined = await fixture.search.search({
      collection: "odd",
      query: byVector(1, 0.5),
      hybrid: { text: "cat" },
    });
    expect(keysOf(joined)).toEqual(["2", "4"]);
  });

  test("cannot be what is looked for, and are exported without it only", async () => {
    await register(COLUMNS, ROWS);
    expect(await errorOf(fixture.search.search({ collection: "odd", query: byKey("1") }))).toMatchObject({
      kind: "failed-precondition",
      message: 'key: the item with the key "1" in "odd" has no vector',
    });
    const keysExported = async (vector: boolean): Promise<string[]> => {
      const replies = await Array.fromAsync(
        fixture.vectors.export({ collection: "odd", projection: { vector } }),
      );
      for (const { items } of replies)
        if (vector) expect(items?.vectors).toHaveLength(8 * (items?.keys.length ?? 0));
      return replies.flatMap(({ items }) => items?.keys ?? []);
    };
    expect(await keysExported(false)).toEqual(["1", "2", "3", "4"]);
    expect(await keysExported(true)).toEqual(["2", "4"]);
    const { items } = await fixture.vectors.scroll({ collection: "odd", projection: { vector: true } });
    expect(items.map(({ key, vector }) => [key, vector.length])).toEqual([
      ["1", 0],
      ["2", 8],
      ["3", 0],
      ["4", 8],
    ]);
  });
});

test("a zero vector has no cosine and is no hit by it", async () => {
  await register("id integer PRIMARY KEY, v vector(2)", "(1, '[0,0]'), (2, '[1,0]'), (3, '[0,0]')");
  expect(keysOf(await fixture.search.search({ collection: "odd", query: byVector(1, 0), k: 1 }))).toEqual([
    "2",
  ]);
  expect(keysOf(await fixture.search.search({ collection: "odd", query: byVector(1, 0) }))).toEqual(["2"]);
  expect(keysOf(await fixture.search.search({ collection: "odd", query: byKey("1") }))).toEqual([]);
  const nearest = await fixture.search.search({ collection: "odd", query: byKey("1"), metric: Metric.L2 });
  expect(keysOf(nearest)).toEqual(["3", "2"]);
});

test("what a registered table does not take is failed-precondition with its reason", async () => {
  await register("id integer PRIMARY KEY, v vector(2)", "(1, '[1,0]')");
  await fixture.db.query("CREATE MATERIALIZED VIEW public.odd_view AS SELECT * FROM public.odd");
  await fixture.db.query("CREATE UNIQUE INDEX ON public.odd_view (id)");
  await fixture.collections.registerCollection({
    table: { schema: "public", table: "odd_view", keyColumn: "id" },
  });
  const remove = (collection: string) =>
    fixture.vectors.deleteItems({ collection, which: { case: "keys", value: { keys: ["1"] } } });
  const upsert = (collection: string) =>
    fixture.vectors.upsert({ collection, items: { keys: ["1"], vectors: pack([1, 1]) } });
  for (const call of [remove, upsert]) {
    expect(await errorOf(call("odd_view"))).toMatchObject({
      kind: "failed-precondition",
      message: expect.stringContaining("materialized view"),
    });
  }
  await fixture.db.query("DROP MATERIALIZED VIEW public.odd_view");
  await fixture.db.query(`
    CREATE FUNCTION public.odd_never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'never on Sundays'; END $$`);
  await fixture.db.query(
    "CREATE TRIGGER never BEFORE INSERT OR DELETE ON public.odd FOR EACH ROW EXECUTE FUNCTION public.odd_never()",
  );
  try {
    expect(await errorOf(remove("odd"))).toMatchObject({
      kind: "failed-precondition",
      message: 'the table of "odd" cannot be written to: never on Sundays',
    });
  } finally {
    await fixture.db.query("DROP FUNCTION public.odd_never CASCADE");
  }
});

test("a query that half precision cannot hold is refused by name", async () => {
  await register("id integer PRIMARY KEY, v halfvec(2)", "(1, '[1,0]')");
  for (const [number, remedy] of [
    [1e6, "must hold numbers up to 65504, value 0 is 1000000"],
    [1e-9, "must not be the zero vector in half precision"],
  ] as const) {
    const error = await errorOf(fixture.search.search({ collection: "odd", query: byVector(number, 0) }));
    expect(error.violations).toEqual([{ field: "vector.data", description: remedy }]);
  }
});

test("an index that a killed build has left is not scanned", async () => {
  await register("id integer PRIMARY KEY, v vector(2)", "(1, '[1,0]'), (2, '[1,1]')");
  await fixture.db.query("CREATE INDEX killed ON public.odd USING hnsw (v vector_cosine_ops)");
  const methodOf = async (): Promise<SearchMethod | undefined> => {
    fixture.store.forgetState();
    return (await fixture.search.search({ collection: "odd", query: byVector(1, 0), k: 1 })).plan?.method;
  };
  expect(await methodOf()).toBe(SearchMethod.HNSW);
  await fixture.db.query(
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'public.killed'::regclass",
  );
  expect(await methodOf()).toBe(SearchMethod.EXACT);
});

describe("keys that are numbers or UUIDs", () => {
  const UUID = "0a000000-0000-4000-8000-00000000000f";

  test("may be written otherwise than they are stored", async () => {
    await register("id uuid PRIMARY KEY, v vector(1)", `('${UUID}', '[1]'), (gen_random_uuid(), '[2]')`);
    const shouted = UUID.toUpperCase();
    expect(keysOf(await fixture.search.search({ collection: "odd", query: byKey(shouted) }))).not.toContain(
      UUID,
    );
    const { items } = await fixture.vectors.getItems({ collection: "odd", keys: [shouted] });
    expect(items.map(({ key }) => key)).toEqual([UUID]);
    const which = { case: "keys" as const, value: { keys: [shouted] } };
    expect(await fixture.vectors.deleteItems({ collection: "odd", which })).toMatchObject({ deleted: 1n });
  });

  test("that are none are refused by the name of their field", async () => {
    await register("id integer PRIMARY KEY, v vector(1), words text", "(1, '[1]', 'cat')");
    const several = {
      case: "several" as const,
      value: { queries: [{ query: byKey("1") }, { query: byKey("one") }] },
    };
    const keys = ["1", "2147483648"];
    for (const [call, field] of [
      [() => fixture.search.search({ collection: "odd", query: byKey("one") }), "key"],
      [() => fixture.search.search({ collection: "odd", query: several }), "several.queries[1].key"],
      [() => fixture.search.explain({ search: { collection: "odd", query: byKey("1.0") } }), "search.key"],
      [() => fixture.vectors.getItems({ collection: "odd", keys }), "keys[1]"],
      [
        () => fixture.vectors.deleteItems({ collection: "odd", which: { case: "keys", value: { keys } } }),
        "keys.keys[1]",
      ],
      [
        () => fixture.vectors.upsert({ collection: "odd", items: { keys, vectors: pack([1], [2]) } }),
        "items.keys[1]",
      ],
    ] as const) {
      const error = await errorOf(call());
      expect(error.kind).toBe("invalid-argument");
      expect(error.violations.map((violation) => violation.field)).toEqual([field]);
    }
  });
});

describe("a registered table that its owner changes", () => {
  const search = () => fixture.search.search({ collection: "odd", query: byVector(1, 0) });
  const get = () =>
    fixture.vectors.getItems({ collection: "odd", keys: ["1"], projection: { vector: true } });
  const store = () =>
    fixture.vectors.upsert({ collection: "odd", items: { keys: ["9"], vectors: pack([1, 1]) } });

  test.each([
    ["is dropped", "DROP TABLE public.odd"],
    ["loses its vectors", "ALTER TABLE public.odd DROP COLUMN v"],
    ["loses its keys", "ALTER TABLE public.odd DROP COLUMN id"],
    ["keeps texts where its vectors were", "ALTER TABLE public.odd ALTER COLUMN v TYPE text USING v::text"],
  ])("and that %s is failed-precondition, at once and later", async (_, change) => {
    await register("id integer PRIMARY KEY, v vector(2)", "(1, '[1,0]')");
    for (const call of [search, get]) await call();
    await fixture.db.query(change);
    for (const later of [false, true]) {
      if (later) fixture.store.forgetState();
      for (const call of [search, get]) {
        const error = await errorOf(call());
        expect([call.name, error.kind, error.message]).toEqual([
          call.name,
          "failed-precondition",
          expect.stringContaining("odd"),
        ]);
      }
    }
  });

  test("and that gets longer vectors asks for what fits from then on", async () => {
    await register("id integer PRIMARY KEY, v vector(2)", "(1, '[1,0]')");
    for (const call of [search, get, store]) {
      await call();
      await fixture.db.query("UPDATE public.odd SET v = '[1,0]'");
      await fixture.db.query(
        "ALTER TABLE public.odd ALTER COLUMN v TYPE vector(3) USING array_append(v::real[], 0)::vector",
      );
      if (call !== get) expect((await errorOf(call())).kind).toBe("invalid-argument");
      else expect((await call()).items[0]?.vector).toHaveLength(12);
      await fixture.db.query(
        "ALTER TABLE public.odd ALTER COLUMN v TYPE vector(2) USING (v::real[])[1:2]::vector",
      );
      fixture.store.forgetState();
    }
  });
});

describe("managed collections", () => {
  test("that are deleted meanwhile are not found", async () => {
    await createCollection(fixture, { dimensions: 2 });
    await fixture.vectors.upsert({ collection: "things", items: { keys: ["a"], vectors: pack([1, 0]) } });
    const remembered = await fixture.store.collections.get("things");
    expect(remembered.name).toBe("things");
    // By another process: this one remembers.
    const { items, vectors } = {
      items: remembered.layout.items?.table.name,
      vectors: remembered.layout.vectors.name,
    };
    await fixture.db.query(`DROP TABLE ${items}, ${vectors}`);
    await fixture.db.query("DELETE FROM collections WHERE name = 'things'");
    for (const call of [
      () => fixture.search.search({ collection: "things", query: byVector(1, 0) }),
      () => fixture.vectors.upsert({ collection: "things", items: { keys: ["b"], vectors: pack([1, 0]) } }),
      () => fixture.vectors.getItems({ collection: "things", keys: ["a"] }),
    ]) {
      expect((await errorOf(call())).kind).toBe("not-found");
    }
  });

  test("take keys of 512 characters of four bytes each", async () => {
    await createCollection(fixture, { dimensions: 1 });
    // No two alike, so that nothing of them can be compressed.
    const keys = Array.from({ length: 3 }, (_, i) =>
      String.fromCodePoint(
        ...Array.from({ length: 512 }, (__, c) => 0x10000 + ((c * 7919 + i * 104_729) % 0xf0000)),
      ),
    );
    const items = { keys, vectors: pack([1], [2], [3]), metadata: keys.map((_, i) => ({ i })) };
    expect(await fixture.vectors.upsert({ collection: "things", items })).toMatchObject({ inserted: 3n });
    const found = await fixture.search.search({ collection: "things", query: byKey(keys[0] as string) });
    expect(new Set(keysOf(found))).toEqual(new Set(keys.slice(1)));
  });

  test("take metadata of 1 MiB, and refuse more", async () => {
    await createCollection(fixture, { dimensions: 1 });
    const upsert = (length: number) =>
      fixture.vectors.upsert({
        collection: "things",
        items: { keys: ["a"], vectors: pack([1]), metadata: [{ text: "é".repeat(length / 2) }] },
      });
    const overhead = Buffer.byteLength(JSON.stringify({ text: "" }));
    const most = 2 ** 20 - overhead;
    await upsert(most - (most % 2));
    const { items } = await fixture.vectors.getItems({ collection: "things", keys: ["a"] });
    expect(items[0]?.metadata?.["text"]).toHaveLength(Math.floor(most / 2));
    expect((await errorOf(upsert(2 ** 20))).violations[0]?.field).toBe("items.metadata[0]");
  });

  test("give back metadata as deep as they may be", async () => {
    await createCollection(fixture, { dimensions: 1 });
    const deepest = Array.from({ length: 29 }).reduce<JsonObject>((inner) => ({ inner }), {});
    const items = { keys: ["a", "b"], vectors: pack([1], [2]), metadata: [deepest, deepest] };
    await fixture.vectors.upsert({ collection: "things", items });
    const query = byVector(1);
    const { results } = await fixture.search.searchBatch({ searches: [{ collection: "things", query }] });
    const response = results[0]?.result.value as SearchResponse;
    expect(response.hits.map(({ metadata }) => metadata)).toEqual([deepest, deepest]);
  });

  test("take 10,000 items at once, twice", async () => {
    await createCollection(fixture, { dimensions: 1 });
    const keys = Array.from({ length: 10_000 }, (_, i) => `k${i}`);
    const items = { keys, vectors: pack(keys.map((_, i) => i + 1)), metadata: keys.map((_, i) => ({ i })) };
    expect(await fixture.vectors.upsert({ collection: "things", items })).toMatchObject({
      inserted: 10_000n,
    });
    expect(await fixture.vectors.upsert({ collection: "things", items })).toMatchObject({
      replaced: 10_000n,
    });
    const which = { case: "keys" as const, value: { keys } };
    expect(await fixture.vectors.deleteItems({ collection: "things", which })).toMatchObject({
      deleted: 10_000n,
    });
  }, 60_000);
});

describe("texts with more words than full-text search takes in", () => {
  const words = Array.from({ length: 180_000 }, (_, i) => i.toString(36))
    .join(" ")
    .slice(0, 2 ** 20 - 10);

  test("are bad rows", async () => {
    await createCollection(fixture, { dimensions: 1 });
    const items = { keys: ["a", "b", "c"], vectors: pack([1], [2], [3]), documents: ["one", words, "three"] };
    const refused = await errorOf(fixture.vectors.upsert({ collection: "things", items }));
    expect(refused.kind).toBe("invalid-argument");
    expect(refused.violations.map(({ field }) => field)).toEqual(["items.documents[1]"]);
    const badRows = BadRowPolicy.SKIP_ROW;
    expect(await fixture.vectors.upsert({ collection: "things", items, badRows })).toMatchObject({
      inserted: 2n,
      rejected: [{ position: 1, key: "b", reason: expect.stringContaining("documents must have fewer") }],
    });
    const changes = { collection: "things", keys: ["a", "c"], documents: ["uno", words] };
    const update = await errorOf(fixture.vectors.updateMetadata(changes));
    expect(update.violations.map(({ field }) => field)).toEqual(["documents[1]"]);
  });

  test("are no descriptions", async () => {
    const { image } = await fixture.images.addImage({ image: { imagePath: "a.png" } });
    const embeddings = [{ source: { case: "text" as const, value: "a cat" } }];
    const described = { imagePath: "b.png", description: words };
    for (const [call, field] of [
      [() => fixture.images.addImage({ image: described }), "image.description"],
      [() => fixture.images.addImageWithEmbeddings({ image: described, embeddings }), "image.description"],
      [() => fixture.images.updateImage({ id: image?.id as bigint, description: words }), "description"],
    ] as const) {
      const error = await errorOf(call());
      expect(error.kind).toBe("invalid-argument");
      expect(error.violations.map((violation) => violation.field)).toEqual([field]);
    }
  });
});
