import { expect, test } from "@jest/globals";
import type { Database } from "@kindred/postgres";
import { silentLogger } from "@kindred/testing";
import { createConcurrently, grantedMemory, type Building } from "./create-concurrently.ts";

// What a server cannot be made to do at will: to run out of shared memory in the middle of a parallel build.

/** What PostgreSQL says where /dev/shm is too small for a parallel build. */
const NO_SHARED_MEMORY = Object.assign(
  new Error(
    'could not resize shared memory segment "/PostgreSQL.1" to 67145728 bytes: No space left on device',
  ),
  { code: "53100", severity: "ERROR" },
);

const TABLE = { schema: "s", name: "t" };

/** A session on which a build succeeds only after `refusals` refused tries. */
function sessionWith(refusals: number) {
  const statements: string[] = [];
  const notes: string[] = [];
  let left = refusals;
  const run = async (sql: string): Promise<void> => {
    statements.push(sql.split(" USING ")[0] as string);
    if (sql.startsWith("CREATE INDEX") && left-- > 0) throw NO_SHARED_MEMORY;
  };
  const db = { query: async () => ({ rows: [] }), logger: silentLogger() } as unknown as Database;
  const building = {
    deps: { db, memoryBytes: 2 ** 30 },
    session: { pid: 1, run },
    content: { sql: "USING hnsw (v)", operatorClass: "vector_cosine_ops" },
    step: {
      signal: new AbortController().signal,
      report: () => {},
      note: (text: string) => notes.push(text),
    },
    workers: 0,
  } as unknown as Building;
  return { building, statements, notes };
}

test("a parallel build that finds too little shared memory is repeated by one process", async () => {
  const { building, statements, notes } = sessionWith(1);
  await createConcurrently(building, "i", TABLE, () => {});
  expect(statements).toEqual([
    'CREATE INDEX CONCURRENTLY "i" ON "s"."t"',
    'DROP INDEX CONCURRENTLY IF EXISTS "s"."i"',
    "SET max_parallel_maintenance_workers = 0",
    'CREATE INDEX CONCURRENTLY "i" ON "s"."t"',
  ]);
  expect(notes).toEqual([expect.stringContaining("one process builds it now")]);
});

test("when one process does not fit either, that is what the caller is told", async () => {
  const { building } = sessionWith(2);
  await expect(createConcurrently(building, "i", TABLE, () => {})).rejects.toBe(NO_SHARED_MEMORY);
});

const MIB = 2 ** 20;
test.each([
  ["what the server gives anyway, when that is more than it needs", 64, 1, 1024, 64],
  ["as much as it needs", 64, 200, 1024, 200],
  ["as much as it may have", 64, 20_000, 1024, 1024],
  ["never less than the server gives", 64, 20_000, 1, 64],
])("a build takes %s", (_, current, needed, allowed, expected) => {
  expect(grantedMemory(current * MIB, needed * MIB, allowed * MIB)).toBe(expected * MIB);
});
