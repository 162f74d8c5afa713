import { isKindredError, KindredError } from "@kindred/errors";
import { sqlStateOf, translatePgError, type Database } from "@kindred/postgres";
import type pg from "pg";
import { DIMENSIONS } from "../../domain/collection.ts";
import type { EnsuredIndex, VectorIndexes } from "../../domain/ports.ts";
import {
  BUILDING_NAME,
  decideIndexWork,
  graphBytes,
  INDEX_NAME,
  RETIRED_NAME,
  type IndexParameters,
  type IndexWork,
  type VectorIndex,
  type WantedParameters,
} from "../../domain/vector-index.ts";
import { imageIndexes } from "./index-catalogue.ts";

const LOCK_KEY = "kindred/vector_store/index/embeddings";
/** How long a cancelled build may take to remove what it has built so far. */
const CLEAN_UP_MS = 5000;
/** For those who come while an index is being built. */
const BUSY_RETRY_MS = 5000;
/**
 * Disk full, out of memory: also what a parallel build says when its shared memory does not fit into /dev/shm, which is
 * 64 MiB in a container (pgvector#453).
 */
const SHORTAGES = new Set(["53100", "53200"]);

export interface IndexBuilderDeps {
  db: Database;
  /** Of the embeddings, as PostgreSQL estimates them. */
  estimatedRows: () => Promise<number>;
  /** Called when indexes have changed. */
  onChange: () => void;
  /** Most memory that a build may take in the database, in bytes. */
  memoryBytes: number;
}

interface BuildParameters extends IndexParameters {
  /** Estimated. */
  rows: number;
}

/**
 * Builds the catalogue's index, one build at a time in this process and, by an advisory lock, among all replicas. Disposing
 * of it cancels the build that runs and waits until nothing is left of it.
 */
export class IndexBuilder implements VectorIndexes, AsyncDisposable {
  readonly #deps: IndexBuilderDeps;
  readonly #closing = new AbortController();
  #running: Promise<EnsuredIndex> | undefined;

  constructor(deps: IndexBuilderDeps) {
    this.#deps = deps;
  }

  list(): Promise<VectorIndex[]> {
    return imageIndexes(this.#deps.db, this.#deps.db.schema);
  }

  /** A cancelled call cancels the build. What a killed process has begun, the next call finishes or removes. */
  async ensure(wanted: WantedParameters, signal?: AbortSignal): Promise<EnsuredIndex> {
    const { leftovers, next } = decideIndexWork(await this.list(), wanted);
    if (next.kind === "keep" && leftovers.length === 0) return kept(next.index);
    if (this.#running) throw busy();
    try {
      this.#running = this.#ensure(
        wanted,
        AbortSignal.any([this.#closing.signal, ...(signal ? [signal] : [])]),
      );
      return await this.#running;
    } finally {
      this.#running = undefined;
      this.#deps.onChange();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(
      new KindredError("unavailable", "the service is shutting down", { retryAfterMs: BUSY_RETRY_MS }),
    );
    // Its caller has its error.
    await this.#running?.catch(() => undefined);
  }

  async #ensure(wanted: WantedParameters, signal: AbortSignal): Promise<EnsuredIndex> {
    // Now, because in a transaction it would wait for another connection, which may wait for the transaction.
    const rows = await this.#deps.estimatedRows();
    const { createIndexConcurrently } = this.#deps.db.capabilities;
    return await (createIndexConcurrently
      ? this.#ensureOnline(wanted, rows, signal)
      : this.#ensureInTransaction(wanted, rows, signal));
  }

  /** Where others can write during the build: on a session of its own, which the lock and the settings end with. */
  async #ensureOnline(wanted: WantedParameters, rows: number, signal: AbortSignal): Promise<EnsuredIndex> {
    let client: pg.PoolClient | undefined;
    try {
      client = await this.#deps.db.pool.acquire(signal);
      await client.query("SET statement_timeout = 0");
      const pid = await this.#lock(client);
      try {
        return await this.#replaceOnline(client, pid, wanted, rows, signal);
      } finally {
        await this.#unlock(client);
      }
    } catch (error) {
      throw signal.aborted ? reasonOf(signal) : translatePgError(error);
    } finally {
      client?.release(true);
    }
  }

  async #lock(client: pg.PoolClient): Promise<number> {
    const lock = this.#deps.db.capabilities.advisoryLocks
      ? "pg_try_advisory_lock(hashtextextended($1, 0))"
      : "$1::text IS NOT NULL";
    const { rows } = await client.query<{ pid: number; locked: boolean }>(
      `SELECT pg_backend_pid() AS pid, ${lock} AS locked`,
      [LOCK_KEY],
    );
    if (!rows[0]?.locked) throw busy();
    return rows[0].pid;
  }

  /** The lock ends with the session, but that takes a moment in which others would be told that it is held. */
  async #unlock(client: pg.PoolClient): Promise<void> {
    if (!this.#deps.db.capabilities.advisoryLocks) return;
    try {
      await client.query("SELECT pg_advisory_unlock(hashtextextended($1, 0))", [LOCK_KEY]);
    } catch (error) {
      this.#deps.db.logger.debug(
        { err: error },
        "the session of an index build is gone, and its lock with it",
      );
    }
  }

  async #replaceOnline(
    client: pg.PoolClient,
    pid: number,
    wanted: WantedParameters,
    rows: number,
    signal: AbortSignal,
  ): Promise<EnsuredIndex> {
    const { leftovers, next } = decideIndexWork(await imageIndexes(client, this.#deps.db.schema), wanted);
    for (const name of leftovers) await this.#dropLeftover(client, name);
    if (next.kind === "keep") return kept(next.index);
    const started = performance.now();
    if (next.kind === "build") await this.#buildOnline(client, pid, { ...next.parameters, rows }, signal);
    await client.query(`BEGIN; ${SWAP.join("; ")}; COMMIT`);
    await client.query(`DROP INDEX CONCURRENTLY IF EXISTS ${RETIRED_NAME}`);
    return await this.#finished(client, next, started);
  }

  async #dropLeftover(client: pg.PoolClient, name: string): Promise<void> {
    this.#deps.db.logger.warn({ index: name }, "removing what an interrupted index build has left behind");
    await client.query(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`);
  }

  async #buildOnline(
    client: pg.PoolClient,
    pid: number,
    parameters: BuildParameters,
    signal: AbortSignal,
  ): Promise<void> {
    const { db } = this.#deps;
    const memory = await this.#memorySetting(client, parameters);
    await client.query(`SET maintenance_work_mem = '${memory}'`);
    const cancel = (): void => {
      db.query("SELECT pg_cancel_backend($1)", [pid]).catch((error: unknown) =>
        db.logger.warn({ err: error }, "an index build could not be cancelled"),
      );
    };
    const create = async (): Promise<void> => {
      signal.throwIfAborted();
      signal.addEventListener("abort", cancel, { once: true });
      try {
        await client.query(createIndex("CONCURRENTLY", BUILDING_NAME, parameters));
      } finally {
        signal.removeEventListener("abort", cancel);
      }
    };
    try {
      try {
        await create();
      } catch (error) {
        if (!SHORTAGES.has(sqlStateOf(error) ?? "")) throw error;
        db.logger.warn(
          { err: error },
          "building the index in parallel takes too much shared memory; building it alone",
        );
        await client.query(`DROP INDEX CONCURRENTLY IF EXISTS ${BUILDING_NAME}`);
        await client.query("SET max_parallel_maintenance_workers = 0");
        await create();
      }
    } catch (error) {
      await this.#cleanUp(client);
      throw error;
    }
  }

  /** Where the connection is gone with the build, or somebody's long transaction is in the way, the next EnsureIndex does it. */
  async #cleanUp(client: pg.PoolClient): Promise<void> {
    try {
      await client.query(`SET statement_timeout = ${CLEAN_UP_MS}`);
      await client.query(`DROP INDEX CONCURRENTLY IF EXISTS ${BUILDING_NAME}`);
    } catch (error) {
      this.#deps.db.logger.warn(
        { err: error },
        "an unfinished index is left for the next EnsureIndex to remove",
      );
    }
  }

  /** Where there is one session for everybody anyway: all of it or nothing. */
  async #ensureInTransaction(
    wanted: WantedParameters,
    rows: number,
    signal: AbortSignal,
  ): Promise<EnsuredIndex> {
    return await this.#deps.db.transaction(
      async (client) => {
        const { leftovers, next } = decideIndexWork(await imageIndexes(client, this.#deps.db.schema), wanted);
        for (const name of leftovers) await client.query(`DROP INDEX IF EXISTS ${name}`);
        if (next.kind === "keep") return kept(next.index);
        const started = performance.now();
        if (next.kind === "build") {
          const memory = await this.#memorySetting(client, { ...next.parameters, rows });
          await client.query(`SET LOCAL maintenance_work_mem = '${memory}'`);
          await client.query(createIndex("", BUILDING_NAME, next.parameters));
        }
        for (const statement of SWAP) await client.query(statement);
        await client.query(`DROP INDEX IF EXISTS ${RETIRED_NAME}`);
        return await this.#finished(client, next, started);
      },
      { signal, timeoutMs: 0 },
    );
  }

  async #finished(client: pg.PoolClient, next: IndexWork["next"], started: number): Promise<EnsuredIndex> {
    const buildTimeMs = performance.now() - started;
    await client.query("ANALYZE images, embeddings");
    const index = (await imageIndexes(client, this.#deps.db.schema)).find(
      (found) => found.name === INDEX_NAME,
    );
    if (!index?.valid)
      throw new KindredError("internal", `the index ${INDEX_NAME} is not valid after its build`);
    const built = next.kind === "build";
    this.#deps.db.logger.info(
      { index: index.name, built, ms: Math.round(buildTimeMs), ...index.parameters },
      "index is ready",
    );
    return { index, built, buildTimeMs: built ? buildTimeMs : 0 };
  }

  /** As much as the graph needs and may have, and never less than the server would give. */
  async #memorySetting(client: pg.PoolClient, { rows, m }: BuildParameters): Promise<string> {
    const current = await client.query<{ bytes: string }>(
      "SELECT pg_size_bytes(current_setting('maintenance_work_mem')) AS bytes",
    );
    const needed = graphBytes(rows, DIMENSIONS, m);
    const granted = Math.max(Number(current.rows[0]?.bytes), Math.min(needed, this.#deps.memoryBytes));
    if (granted < needed) {
      this.#deps.db.logger.warn(
        { needed_bytes: needed, granted_bytes: granted },
        "the index does not fit into the memory for its build, which will take many times as long: raise INDEX_BUILD_MEMORY",
      );
    }
    return `${Math.ceil(granted / 1024)}kB`;
  }
}

const SWAP = [
  `ALTER INDEX IF EXISTS ${INDEX_NAME} RENAME TO ${RETIRED_NAME}`,
  `ALTER INDEX ${BUILDING_NAME} RENAME TO ${INDEX_NAME}`,
];

function createIndex(
  mode: "CONCURRENTLY" | "",
  name: string,
  { m, efConstruction }: IndexParameters,
): string {
  return (
    `CREATE INDEX ${mode} ${name} ON embeddings USING hnsw (embedding vector_cosine_ops) ` +
    `WITH (m = ${m}, ef_construction = ${efConstruction})`
  );
}

const kept = (index: VectorIndex): EnsuredIndex => ({ index, built: false, buildTimeMs: 0 });

function busy(): KindredError {
  return new KindredError("aborted", "an index is being built already", { retryAfterMs: BUSY_RETRY_MS });
}

function reasonOf({ reason }: AbortSignal): unknown {
  if (isKindredError(reason)) return reason;
  return new KindredError("cancelled", "the caller gave up, and the index build was cancelled", {
    cause: reason,
  });
}
