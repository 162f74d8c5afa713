import { isKindredError, KindredError } from "@kindred/errors";
import type { Database } from "@kindred/postgres";
import type { PoolClient } from "pg";
import { wishToJson } from "../../../domain/indexes/build-spec.ts";
import type { BuiltIndex, StepContext } from "../../../domain/indexes/index-ports.ts";
import type { IndexSpec } from "../../../domain/indexes/index-spec.ts";
import { satisfies } from "../../../domain/indexes/index-upkeep.ts";
import type { TableIndex } from "../index-catalogue.ts";
import { buildPartitions } from "./build-partitions.ts";
import { withBuildSession } from "./build-session.ts";
import { releaseBuilderLock, waitForBuilderLock } from "./builder-lock.ts";
import {
  createConcurrently,
  grantedMemory,
  type BuildDeps,
  type Building,
  type WantedIndex,
} from "./create-concurrently.ts";
import { dropIndex } from "./drop-index.ts";
import {
  createIndexSql,
  indexContent,
  indexSql,
  operatorClassOf,
  operatorClassSchema,
  type IndexContent,
} from "./index-ddl.ts";
import { findIndex, indexedRows, partitionsOf } from "./table-facts.ts";

/** How long a cancelled build may take to remove what it has built so far. */
const CLEAN_UP_MS = 5000;

/** Where others can write during the build: on a session of its own, which the lock and the settings end with. */
export async function buildOnline(
  deps: BuildDeps,
  wanted: WantedIndex,
  step: StepContext,
): Promise<BuiltIndex> {
  const { db } = deps;
  return await withBuildSession(db, wanted.name, step.signal, async (session) => {
    const content = await contentOf(db, session.client, wanted);
    await waitForBuilderLock(db, session, wanted.name, step);
    try {
      return await ensured({ deps, session, wanted, content, step, workers: 0 });
    } finally {
      await releaseBuilderLock(session, db);
    }
  });
}

/** Where there is one session for everybody anyway: all of it or nothing. */
export async function buildInTransaction(
  { db, memoryBytes }: BuildDeps,
  wanted: WantedIndex,
  step: StepContext,
): Promise<BuiltIndex> {
  const { collection, spec, name } = wanted;
  step.report({ detail: "building, while everybody else waits", done: 0, total: 0, unit: "" });
  return await db.transaction(
    async (client) => {
      const content = await contentOf(db, client, wanted);
      const found = await findIndex(client, collection, name);
      if (found && isAsWanted(found, spec, content))
        return { index: found, rows: await indexedRows(client, found.oid), buildMs: 0 };
      await client.query(`DROP INDEX IF EXISTS ${indexSql(collection.layout.vectors, name)}`);
      const memory = await memorySetting(client, wanted, memoryBytes);
      if (memory !== undefined) await client.query(`SET LOCAL maintenance_work_mem = '${memory}'`);
      const started = performance.now();
      await client.query(createIndexSql(name, collection.layout.vectors, content));
      return await finished(client, wanted, content, { buildMs: performance.now() - started, workers: 0 });
    },
    { signal: step.signal, timeoutMs: 0 },
  );
}

async function ensured(building: Building): Promise<BuiltIndex> {
  const { deps, session, wanted, content, step } = building;
  const { client } = session;
  const { collection, spec, name } = wanted;
  const found = await findIndex(client, collection, name);
  if (found && isAsWanted(found, spec, content)) {
    return { index: found, rows: await indexedRows(client, found.oid), buildMs: 0 };
  }
  const partitions = await partitionsOf(client, collection.layout.vectors);
  // Parts of a partitioned index that are whole need not be built again.
  if (found && !(partitions && satisfies(found, spec))) {
    deps.db.logger.warn({ index: name }, "removing what an interrupted index build has left behind");
    step.note(`removed what an interrupted build of ${name} has left behind`);
    await dropIndex({ db: deps.db, session, signal: step.signal }, collection, name);
  }
  const memory = await memorySetting(client, wanted, deps.memoryBytes);
  if (memory !== undefined) await session.run(`SET maintenance_work_mem = '${memory}'`);
  const started = performance.now();
  try {
    if (partitions) await buildPartitions(building, partitions);
    else await createConcurrently(building, name, collection.layout.vectors, step.report);
  } catch (error) {
    // Whoever goes on after this process needs the finished parts.
    if (!partitions || !step.signal.aborted || isCancelled(step.signal)) await removeUnfinished(building);
    throw error;
  }
  return await finished(client, wanted, content, {
    buildMs: performance.now() - started,
    workers: building.workers,
  });
}

const isCancelled = ({ reason }: AbortSignal): boolean =>
  isKindredError(reason) && reason.kind === "cancelled";

/** Where the connection is gone with the build, or somebody's long transaction is in the way, it is left to whoever comes next. */
async function removeUnfinished({ deps, session, wanted }: Building): Promise<void> {
  const inTime = AbortSignal.timeout(CLEAN_UP_MS);
  const run = (sql: string): Promise<void> => session.cleanUp(sql, CLEAN_UP_MS);
  try {
    await dropIndex(
      { db: deps.db, session: { client: session.client, run }, signal: inTime },
      wanted.collection,
      wanted.name,
    );
  } catch (error) {
    deps.db.logger.warn(
      { err: error, index: wanted.name },
      "an unfinished index is left to be removed later",
    );
  }
}

async function contentOf(
  db: Database,
  client: PoolClient,
  { collection, spec }: WantedIndex,
): Promise<IndexContent> {
  const { vector } = db.capabilities;
  if (!vector)
    throw new KindredError("failed-precondition", "without pgvector there are no vector indexes: install it");
  const operatorClass = await operatorClassSchema(client, spec.method, operatorClassOf(spec, collection));
  return indexContent(collection, spec, { vector: vector.schema, operatorClass });
}

function isAsWanted(index: TableIndex, spec: IndexSpec, content: IndexContent): boolean {
  return (
    index.valid && index.searchable && satisfies(index, spec) && index.operatorClass === content.operatorClass
  );
}

/** Writes the build down: by that it is known to be the store's. */
async function finished(
  client: PoolClient,
  { collection, spec, name }: WantedIndex,
  content: IndexContent,
  { buildMs, workers }: { buildMs: number; workers: number },
): Promise<BuiltIndex> {
  const index = await findIndex(client, collection, name);
  if (!index || !isAsWanted(index, spec, content))
    throw new KindredError("internal", `the index ${name} is not valid after its build`);
  const rows = await indexedRows(client, index.oid);
  await client.query(
    `INSERT INTO index_builds (collection, index_name, index_oid, spec, rows, size_bytes, build_ms, workers, dimensions)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      collection.name,
      name,
      index.oid,
      JSON.stringify(wishToJson(spec)),
      rows,
      String(index.sizeBytes),
      buildMs,
      workers,
      collection.dimensions,
    ],
  );
  return { index, rows, buildMs };
}

/** As much as the build needs and may have, and never less than the server would give; undefined leaves it at that. */
async function memorySetting(
  client: PoolClient,
  { forecast }: WantedIndex,
  memoryBytes: number,
): Promise<string | undefined> {
  if (!forecast) return undefined;
  const current = await client.query<{ bytes: string }>(
    "SELECT pg_size_bytes(current_setting('maintenance_work_mem')) AS bytes",
  );
  const granted = grantedMemory(Number(current.rows[0]?.bytes), forecast.buildMemoryBytes, memoryBytes);
  return `${Math.ceil(granted / 1024)}kB`;
}
