import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import type { ExportResponse, Filter } from "@kindred/contracts/vector-store/v1";
import { errorOf, openFixture, type Fixture } from "./fixture.ts";
import {
  batchFrom,
  createCollection,
  keysFrom,
  pack,
  storedItems,
  tablesOf,
  vectorOf,
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

const eq = (field: string, integer: number): Filter =>
  ({
    condition: {
      case: "eq",
      value: { field: { segments: [field] }, value: { value: { case: "integer", value: BigInt(integer) } } },
    },
  }) as unknown as Filter;

describe("UpdateMetadata", () => {
  const update = (rest: object) => fixture.vectors.updateMetadata({ collection: "things", ...rest });

  test("replaces or merges, and leaves the vectors' rows where they are", async () => {
    await createCollection(fixture);
    const batch = batchFrom(0, 3);
    await upsert({ ...batch, metadata: [{ a: 1, b: 2 }, { a: 1 }, {}] });
    const rowsOf = async () =>
      (
        await fixture.db.query(
          `SELECT key, ctid::text, xmin::text, updated_at FROM ${await tablesOf(fixture)}_vectors ORDER BY key`,
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
    const { rows } = await fixture.db.query(
      `SELECT key, document FROM ${await tablesOf(fixture)}_items ORDER BY key`,
    );
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
    const { rows } = await fixture.db.query(
      `SELECT count(*)::int AS count FROM ${await tablesOf(fixture)}_items`,
    );
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
    if (!fixture.db.capabilities.concurrentSessions) {
      process.stderr.write("not run: with one session for all an export is no snapshot\n");
      return;
    }
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
    const held = async (): Promise<string[]> => {
      const { rows } = await fixture.db.query<{ pid: string }>(
        `SELECT concat(pid, ' since ', xact_start) AS pid FROM pg_stat_activity
          WHERE application_name = 'vector-store-test' AND state LIKE 'idle in%'`,
      );
      return rows.map(({ pid }) => pid);
    };
    // Others of the service's own may be between two statements; a transaction that was left open stays.
    const left = await held();
    for (const transaction of left) while ((await held()).includes(transaction)) await sleep(50);
  }, 30_000);
});
