import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { BadRowPolicy, ConflictPolicy } from "@kindred/contracts/vector-store/v1";
import { DIMENSIONS, wordVector } from "./fake-embedding.ts";
import { errorOf, openFixture, type Fixture } from "./fixture.ts";
import {
  batchFrom,
  COPIED,
  hasVector,
  pack,
  storedItems,
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
    if (!hasVector(fixture)) return;
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
      if (!hasVector(fixture)) return;
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
      if (!hasVector(fixture)) return;
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
