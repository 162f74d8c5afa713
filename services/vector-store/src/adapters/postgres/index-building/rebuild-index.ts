import { KindredError } from "@kindred/errors";
import type { Collection } from "../../../domain/collection.ts";
import { wishToJson } from "../../../domain/indexes/build-spec.ts";
import { baseName } from "../../../domain/indexes/index-names.ts";
import type { BuiltIndex, StepContext } from "../../../domain/indexes/index-ports.ts";
import type { IndexWish } from "../../../domain/indexes/index-spec.ts";
import type { PoolClient } from "pg";
import { vectorIndexes, type TableIndex } from "../index-catalogue.ts";
import { grantedMemory, type BuildDeps } from "./create-concurrently.ts";
import { watchProgress } from "./build-progress.ts";
import { withBuildSession } from "./build-session.ts";
import { releaseBuilderLock, waitForBuilderLock } from "./builder-lock.ts";
import { indexSql } from "./index-ddl.ts";
import { isOwnByName } from "./known-indexes.ts";
import { findIndex, indexedRows, partitionsOf } from "./table-facts.ts";

const REINDEXED = /_cc(?:new|old)\d*$/;

/** REINDEX CONCURRENTLY on a session of its own, or REINDEX where nobody could work beside it anyway. */
export async function rebuildIndex(
  deps: BuildDeps,
  collection: Collection,
  name: string,
  memoryBytes: number | undefined,
  step: StepContext,
): Promise<BuiltIndex> {
  const { db } = deps;
  const sql = indexSql(collection.layout.vectors, name);
  if (!db.capabilities.createIndexConcurrently) {
    step.report({ detail: "building again, while everybody else waits", done: 0, total: 0, unit: "" });
    return await db.transaction(
      async (client) => {
        const found = await present(client, collection, name);
        const started = performance.now();
        await client.query(`REINDEX INDEX ${sql}`);
        return await finished(client, collection, found, {
          buildMs: performance.now() - started,
          workers: 0,
        });
      },
      { signal: step.signal, timeoutMs: 0 },
    );
  }
  return await withBuildSession(db, name, step.signal, async (session) => {
    await waitForBuilderLock(db, session, name, step);
    try {
      const found = await present(session.client, collection, name);
      await removeOwn(session, collection, name);
      if (memoryBytes !== undefined) {
        const { rows } = await session.client.query<{ bytes: string }>(
          "SELECT pg_size_bytes(current_setting('maintenance_work_mem')) AS bytes",
        );
        const granted = grantedMemory(Number(rows[0]?.bytes), memoryBytes, deps.memoryBytes);
        await session.run(`SET maintenance_work_mem = '${Math.ceil(granted / 1024)}kB'`);
      }
      const started = performance.now();
      await using progress = watchProgress(db, session.pid, step.report);
      await session.run(`REINDEX INDEX CONCURRENTLY ${sql}`);
      const buildMs = performance.now() - started;
      return await finished(session.client, collection, found, { buildMs, workers: progress.workers });
    } finally {
      await releaseBuilderLock(session, db);
    }
  });
}

async function present(client: PoolClient, collection: Collection, name: string): Promise<TableIndex> {
  const found = await findIndex(client, collection, name);
  if (!found)
    throw new KindredError(
      "not-found",
      `the collection ${collection.name} has no index ${JSON.stringify(name)}`,
    );
  return found;
}

/** What an interrupted REINDEX CONCURRENTLY of this index has left. */
async function removeOwn(
  session: { client: PoolClient; run(sql: string): Promise<void> },
  collection: Collection,
  name: string,
): Promise<void> {
  const { vectors } = collection.layout;
  const parts = (await partitionsOf(session.client, vectors)) ?? [];
  for (const table of [vectors, ...parts.map((part) => part.table)]) {
    for (const index of await vectorIndexes(session.client, table)) {
      const ofThis = table !== vectors || baseName(index.name) === name;
      if (!index.valid && !index.building && REINDEXED.test(index.name) && ofThis)
        await session.run(`DROP INDEX CONCURRENTLY IF EXISTS ${indexSql(table, index.name)}`);
    }
  }
}

async function finished(
  client: PoolClient,
  collection: Collection,
  before: TableIndex,
  { buildMs, workers }: { buildMs: number; workers: number },
): Promise<BuiltIndex> {
  const index = await findIndex(client, collection, before.name);
  if (!index?.valid)
    throw new KindredError("internal", `the index ${before.name} is not valid after it was built again`);
  const rows = await indexedRows(client, index.oid);
  const { rows: records } = await client.query(
    "SELECT FROM index_builds WHERE collection = $1 AND index_oid = $2",
    [collection.name, before.oid],
  );
  // It is another relation now: what is the store's stays the store's, and what is a user's the user's.
  if (records.length > 0 || isOwnByName(collection, before.name)) {
    await client.query(
      `INSERT INTO index_builds (collection, index_name, index_oid, spec, rows, size_bytes, build_ms, workers, dimensions)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
      [
        collection.name,
        index.name,
        index.oid,
        JSON.stringify(wishToJson(wishOf(index))),
        rows,
        String(index.sizeBytes),
        buildMs,
        workers,
        collection.dimensions,
      ],
    );
  }
  return { index, rows, buildMs };
}

function wishOf({ method, quantization, metric, parameters }: TableIndex): Partial<IndexWish> {
  const number = (name: string): number | undefined =>
    parameters[name] === undefined ? undefined : Number(parameters[name]);
  return {
    method,
    quantization,
    metric,
    m: number("m"),
    efConstruction: number("ef_construction"),
    lists: number("lists"),
    numNeighbors: number("num_neighbors"),
    searchListSize: number("search_list_size"),
  };
}
