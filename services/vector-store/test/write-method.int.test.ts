import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { ConflictPolicy, WriteMethod, type IngestResponse } from "@kindred/contracts/vector-store/v1";
import { errorOf, openFixture, type Fixture } from "./fixture.ts";
import {
  batchFrom,
  createCollection,
  hasVector,
  pack,
  storedItems,
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
  await fixture.db.query("DROP TABLE IF EXISTS public.sent, vector_store.song_embeddings CASCADE");
});

const songBatch = (first: number, count: number, seed = 1): BatchInit => {
  const keys = Array.from({ length: count }, (_, i) => first + i);
  return { keys: keys.map(String), vectors: pack(...keys.map((key) => vectorOf(key, 4, seed))) };
};

/** song_embeddings, whose trigger notes the statements by which rows come in. */
async function songs(): Promise<void> {
  await fixture.collections.registerCollection({
    name: "things",
    table: { table: "song_embeddings", keyColumn: "song_id", vectorColumn: "embedding" },
    createTable: { dimensions: 4 },
  });
  await fixture.db.query("CREATE TABLE public.sent (statement TEXT NOT NULL, count BIGINT NOT NULL)");
  await fixture.db.query(`
    CREATE OR REPLACE FUNCTION public.note_statement() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO public.sent SELECT split_part(trim(current_query()), ' ', 1), count(*) FROM added;
      RETURN NULL;
    END $$`);
  await fixture.db.query(`
    CREATE TRIGGER note AFTER INSERT ON song_embeddings REFERENCING NEW TABLE AS added
      FOR EACH STATEMENT EXECUTE FUNCTION public.note_statement()`);
}

/** The rows that each statement has brought in. */
async function sent(): Promise<(readonly [statement: string, rows: number])[]> {
  const { rows } = await fixture.db.query<{ statement: string; count: string }>(
    "SELECT statement, count FROM public.sent WHERE count > 0",
  );
  return rows.map(({ statement, count }) => [statement, Number(count)] as const);
}

async function ingest(batches: BatchInit[], options: object = {}): Promise<IngestResponse[]> {
  async function* messages() {
    yield { message: { case: "options" as const, value: { collection: "things", ...options } } };
    for (const [i, items] of batches.entries())
      yield { message: { case: "batch" as const, value: { sequence: BigInt(i), items } } };
  }
  return await Array.fromAsync(fixture.vectors.ingest(messages()));
}

describe("rows are sent as write_method says", () => {
  const { COPY, INSERT, UNSPECIFIED } = WriteMethod;
  test.each<[string, WriteMethod, number, string]>([
    ["COPY of few", COPY, 3, "COPY"],
    ["COPY of many", COPY, 1000, "COPY"],
    ["INSERT of few", INSERT, 3, "INSERT"],
    ["INSERT of many", INSERT, 1000, "INSERT"],
    ["whatever suits few", UNSPECIFIED, 3, "INSERT"],
    ["whatever suits many", UNSPECIFIED, 1000, "COPY"],
  ])("%s", async (_, writeMethod, count, statement) => {
    if (!hasVector(fixture)) return;
    if (statement === "COPY" && !fixture.db.capabilities.copy) {
      process.stderr.write("not run: this server takes no COPY\n");
      return;
    }
    await songs();
    const [answer] = await ingest([songBatch(1, count)], { writeMethod });
    expect(answer).toMatchObject({ inserted: BigInt(count), replaced: 0n, skipped: 0n });
    expect(await sent()).toEqual([[statement, count]]);
  });

  test("COPY is refused where the server takes none", async () => {
    if (!hasVector(fixture)) return;
    if (fixture.db.capabilities.copy) {
      process.stderr.write("not run: this server takes COPY\n");
      return;
    }
    await songs();
    const error = await errorOf(ingest([songBatch(1, 3)], { writeMethod: COPY }));
    expect(error).toMatchObject({ kind: "failed-precondition", metadata: { sequence: "0" } });
    expect(error.message).toContain("write with WRITE_METHOD_INSERT");
    expect(await storedItems(fixture)).toEqual([]);
  });

  test("an unknown one is refused", async () => {
    const error = await errorOf(ingest([], { writeMethod: 9 as WriteMethod }));
    expect(error.violations).toEqual([
      { field: "options.write_method", description: "must be a known WriteMethod, is 9" },
    ]);
  });
});

describe.each([
  ["COPY", WriteMethod.COPY],
  ["INSERT", WriteMethod.INSERT],
])("by %s", (_, writeMethod) => {
  const unlessCopied = (): boolean => {
    if (writeMethod !== WriteMethod.COPY || fixture.db.capabilities.copy) return true;
    process.stderr.write("not run: this server takes no COPY\n");
    return false;
  };

  test.each([ConflictPolicy.SKIP, ConflictPolicy.REPLACE, ConflictPolicy.ERROR])(
    "keys that are there are treated by policy %s, in tables of both kinds",
    async (onConflict) => {
      if (!hasVector(fixture) || !unlessCopied()) return;
      for (const registered of [true, false]) {
        if (registered) await songs();
        else await createCollection(fixture);
        const make = registered
          ? songBatch
          : (first: number, count: number, seed = 1) => batchFrom(first, count, 4, seed);
        await ingest([make(1, 30)], { writeMethod });
        const again = ingest([make(20, 20, 2)], { writeMethod, onConflict });
        if (onConflict === ConflictPolicy.ERROR) {
          expect((await errorOf(again)).kind).toBe("already-exists");
        } else {
          const kept = onConflict === ConflictPolicy.SKIP;
          expect(await again).toMatchObject([
            { inserted: 9n, skipped: kept ? 11n : 0n, replaced: kept ? 0n : 11n },
          ]);
        }
        const stored = await storedItems(fixture);
        expect(stored).toHaveLength(onConflict === ConflictPolicy.ERROR ? 30 : 39);
        const twentieth = stored.find(({ key }) => key === (registered ? "20" : "key-000020"));
        expect(twentieth?.vector).toEqual(vectorOf(20, 4, onConflict === ConflictPolicy.REPLACE ? 2 : 1));
        await fixture.collections.deleteCollection({ name: "things" });
      }
    },
  );
});

describe("statistics are gathered in the end where that is asked for", () => {
  const analyzed = async (): Promise<Date | undefined> => {
    const { rows } = await fixture.db.query<{ at: Date | null; rows: number }>(
      `SELECT pg_stat_get_last_analyze_time(oid) AS at, reltuples::float8 AS rows FROM pg_class
        WHERE oid = 'song_embeddings'::regclass`,
    );
    return rows[0]?.rows === -1 ? undefined : (rows[0]?.at ?? new Date(0));
  };

  test("of a user's table too, and only where it is", async () => {
    if (!hasVector(fixture)) return;
    await songs();
    await ingest([songBatch(1, 2000)]);
    expect(await analyzed()).toBeUndefined();
    await ingest([songBatch(2001, 10)], { analyze: true });
    expect(await analyzed()).toBeDefined();
    const { rows } = await fixture.db.query<{ rows: number }>(
      "SELECT reltuples::float8 AS rows FROM pg_class WHERE oid = 'song_embeddings'::regclass",
    );
    expect(rows[0]?.rows).toBe(2010);
  });

  test("also when there was nothing to be stored", async () => {
    if (!hasVector(fixture)) return;
    await songs();
    await fixture.db.query("INSERT INTO song_embeddings VALUES (1, '[1,2,3,4]')");
    expect(await ingest([], { analyze: true })).toEqual([]);
    expect(await analyzed()).toBeDefined();
  });

  test("of a collection that is not there they cannot be", async () => {
    expect((await errorOf(ingest([], { analyze: true }))).kind).toBe("not-found");
  });

  test("not when a batch has failed", async () => {
    if (!hasVector(fixture)) return;
    await songs();
    const bad = { keys: ["1"], vectors: pack([0, 0, 0, 0]) };
    expect((await errorOf(ingest([bad], { analyze: true }))).kind).toBe("invalid-argument");
    expect(await analyzed()).toBeUndefined();
  });
});
