import { expect, test } from "@jest/globals";
import { isKindredError } from "@kindred/errors";
import type { Database } from "@kindred/postgres";
import { silentLogger } from "@kindred/testing";
import { IndexBuilder } from "./index-builder.ts";

// What a server cannot be made to do at will: to run out of shared memory in the middle of a parallel build.

/** What PostgreSQL says where /dev/shm is too small for a parallel build. */
const NO_SHARED_MEMORY = Object.assign(
  new Error(
    'could not resize shared memory segment "/PostgreSQL.1" to 67145728 bytes: No space left on device',
  ),
  { code: "53100", severity: "ERROR" },
);

const BUILT = {
  name: "embeddings_embedding_hnsw_idx",
  method: "hnsw",
  operator_class: "vector_cosine_ops",
  valid: true,
  partial: false,
  size_bytes: "8192",
  options: ["m=16", "ef_construction=200"],
};

/** A connection that answers as PostgreSQL does, but builds only after `refusals` refused tries. */
function serverWith(options: { refusals: number; maintenanceWorkMem: number }) {
  const log: string[] = [];
  let refusals = options.refusals;
  let built = false;
  const query = async (sql: string): Promise<{ rows: unknown[] }> => {
    log.push(sql);
    if (sql.includes("pg_try_advisory_lock")) return { rows: [{ pid: 1, locked: true }] };
    if (sql.includes("current_setting('maintenance_work_mem')"))
      return { rows: [{ bytes: String(options.maintenanceWorkMem) }] };
    if (sql.includes("FROM pg_index")) return { rows: built ? [BUILT] : [] };
    if (sql.startsWith("CREATE INDEX")) {
      if (refusals-- > 0) throw NO_SHARED_MEMORY;
      built = true;
    }
    return { rows: [] };
  };
  const client = { query, release: () => log.push("released") };
  const db = {
    query,
    schema: "vector_store",
    logger: silentLogger(),
    capabilities: { createIndexConcurrently: true, advisoryLocks: true },
    pool: { acquire: async () => client },
  } as unknown as Database;
  return { db, log };
}

const withRows = (rows: number) => ({ estimatedRows: async () => rows, onChange: () => {} });
const ANY = { m: undefined, efConstruction: undefined };
const MIB = 2 ** 20;
/** Statements about the build itself. */
const essence = (log: readonly string[]): string[] =>
  log
    .filter((sql) => /^(CREATE|DROP|SET max_parallel|BEGIN|released)/.test(sql))
    .map((sql) => sql.split(" ON ")[0] as string);

test("a parallel build that finds too little shared memory is repeated by one process", async () => {
  const { db, log } = serverWith({ refusals: 1, maintenanceWorkMem: 64 * MIB });
  await using builder = new IndexBuilder({ db, ...withRows(1000), memoryBytes: 1024 * MIB });
  expect((await builder.ensure(ANY)).built).toBe(true);
  expect(essence(log)).toEqual([
    "CREATE INDEX CONCURRENTLY embeddings_embedding_hnsw_idx_new",
    "DROP INDEX CONCURRENTLY IF EXISTS embeddings_embedding_hnsw_idx_new",
    "SET max_parallel_maintenance_workers = 0",
    "CREATE INDEX CONCURRENTLY embeddings_embedding_hnsw_idx_new",
    expect.stringMatching(/^BEGIN; ALTER INDEX .*; COMMIT$/),
    "DROP INDEX CONCURRENTLY IF EXISTS embeddings_embedding_hnsw_idx_old",
    "released",
  ]);
});

test("when one process does not fit either, nothing is left, and the caller is told", async () => {
  const { db, log } = serverWith({ refusals: 2, maintenanceWorkMem: 64 * MIB });
  await using builder = new IndexBuilder({ db, ...withRows(1000), memoryBytes: 1024 * MIB });
  const error: unknown = await builder.ensure(ANY).catch((thrown: unknown) => thrown);
  expect(isKindredError(error) && error.kind).toBe("resource-exhausted");
  expect(essence(log).slice(-2)).toEqual([
    "DROP INDEX CONCURRENTLY IF EXISTS embeddings_embedding_hnsw_idx_new",
    "released",
  ]);
});

test.each([
  [
    "what the server gives anyway, when that is more than the graph needs",
    1000,
    64 * MIB,
    1024 * MIB,
    "65536kB",
  ],
  ["as much as the graph needs", 100_000, 64 * MIB, 1024 * MIB, /^2[0-9]{5}kB$/],
  ["as much as it may have", 10_000_000, 64 * MIB, 1024 * MIB, "1048576kB"],
  ["never less than the server gives", 10_000_000, 64 * MIB, 1 * MIB, "65536kB"],
])("a build takes %s", async (_, rows, maintenanceWorkMem, memoryBytes, expected) => {
  const { db, log } = serverWith({ refusals: 0, maintenanceWorkMem });
  await using builder = new IndexBuilder({ db, ...withRows(rows), memoryBytes });
  await builder.ensure(ANY);
  const setting = log.find((sql) => sql.startsWith("SET maintenance_work_mem"));
  expect(setting?.split("'")[1]).toMatch(expected);
});
