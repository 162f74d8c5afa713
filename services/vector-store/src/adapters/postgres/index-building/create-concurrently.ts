import { sqlStateOf, type Database } from "@kindred/postgres";
import type { Collection } from "../../../domain/collection.ts";
import type { IndexForecast, StepContext } from "../../../domain/indexes/index-ports.ts";
import type { IndexSpec } from "../../../domain/indexes/index-spec.ts";
import type { TableName } from "../../../domain/layout.ts";
import { watchProgress, type BuildProgress } from "./build-progress.ts";
import type { BuildSession } from "./build-session.ts";
import { createIndexSql, indexSql, type IndexContent } from "./index-ddl.ts";

/**
 * Disk full, out of memory: also what a parallel build says when its shared memory does not fit into /dev/shm, which is
 * 64 MiB in a container (pgvector#453).
 */
const SHORTAGES = new Set(["53100", "53200"]);

export interface BuildDeps {
  db: Database;
  /** Most memory that a build may take in the database, in bytes. */
  memoryBytes: number;
}

export interface WantedIndex {
  collection: Collection;
  spec: IndexSpec;
  name: string;
  forecast: IndexForecast | undefined;
}

/** What one build has, on the session that builds. */
export interface Building {
  deps: BuildDeps;
  session: BuildSession;
  wanted: WantedIndex;
  content: IndexContent;
  step: StepContext;
  /** Processes beside the session's own that took part. */
  workers: number;
}

/** One table's index, again without helpers where those take more shared memory than there is. */
export async function createConcurrently(
  building: Building,
  name: string,
  table: TableName,
  tell: (progress: BuildProgress) => void,
): Promise<void> {
  const { deps, session, content, step } = building;
  const create = async (): Promise<void> => {
    await using progress = watchProgress(deps.db, session.pid, tell);
    await session.run(createIndexSql(name, table, content, "CONCURRENTLY"));
    building.workers = Math.max(building.workers, progress.workers);
  };
  try {
    await create();
  } catch (error) {
    if (step.signal.aborted || !SHORTAGES.has(sqlStateOf(error) ?? "")) throw error;
    deps.db.logger.warn(
      { err: error },
      "building the index in parallel takes too much memory; building it alone",
    );
    step.note(
      "a build by several processes took more shared memory than there is: one process builds it now",
    );
    await session.run(`DROP INDEX CONCURRENTLY IF EXISTS ${indexSql(table, name)}`);
    await session.run("SET max_parallel_maintenance_workers = 0");
    await create();
  }
}

/** In bytes; PostgreSQL's limit of maintenance_work_mem is 2 TiB. */
export function grantedMemory(current: number, needed: number, allowed: number): number {
  return Math.min(2 ** 41 - 1024, Math.max(current, Math.min(needed, allowed)));
}
