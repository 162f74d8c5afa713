import { KindredError } from "@kindred/errors";
import type { Logger } from "@kindred/telemetry";
import { Client, escapeIdentifier, type PoolClient, type QueryConfig } from "pg";
import {
  compareVersions,
  describeServer,
  detectCapabilities,
  type ServerCapabilities,
} from "./capabilities.ts";
import { breaksConnection, translatePgError } from "./pg-errors.ts";
import { clientConfig, ConnectionPool } from "./pool.ts";
import { prepareSchema } from "./schema.ts";
import type { DatabaseConfig } from "./settings.ts";
import { runTransaction, type TransactionOptions } from "./transaction.ts";

export interface OpenDatabaseOptions {
  config: DatabaseConfig;
  /** The service's schema, e.g. "vector_store": it is created, and unqualified names are looked up there first. */
  schema: string;
  /** As pg_stat_activity shows it. */
  applicationName: string;
  logger: Logger;
}

/** A pool of connections to one database, and what its server can do. */
export interface Database extends AsyncDisposable {
  readonly schema: string;
  readonly capabilities: ServerCapabilities;
  readonly pool: ConnectionPool;
  readonly logger: Logger;
  /**
   * One statement on any connection, in a transaction of its own.
   * @throws KindredError; an error that is a fault of the statement itself comes as `pg` threw it.
   */
  query<R>(sql: string, params?: readonly unknown[]): Promise<{ rows: R[]; rowCount: number }>;
  /** See runTransaction. */
  transaction<T>(work: (client: PoolClient) => Promise<T>, options?: TransactionOptions): Promise<T>;
  poolStats(): { total: number; idle: number; waiting: number };
  /** Looks again which extensions are there, after one was created. */
  refreshCapabilities(): Promise<ServerCapabilities>;
}

/** Older ones on disk that lives on: indexes may be damaged by VACUUM (pgvector's changelog, 0.8.3 and 0.8.4). */
const SOUND_PGVECTOR = "0.8.4";
/** The client waits this much longer than the server's own limit before it gives a connection up. */
const CLIENT_GRACE_MS = 5000;

/**
 * Connects, finds out what the server can do, and makes sure of the service's schema.
 * @throws KindredError unavailable when the server cannot be reached; failed-precondition when it refuses the user,
 *   lacks the database, or is too old.
 */
export async function openDatabase(options: OpenDatabaseOptions): Promise<Database> {
  const { config, schema, logger } = options;
  const capabilities = await inspectServer(options);
  const pool = new ConnectionPool({
    config,
    applicationName: options.applicationName,
    logger,
    session: sessionSettings(config, schema, capabilities),
  });
  return new PooledDatabase(config, schema, logger, pool, capabilities);
}

function sessionSettings(
  config: DatabaseConfig,
  schema: string,
  capabilities: ServerCapabilities,
): Record<string, string> {
  const path = new Set([schema, "public", ...(capabilities.vector ? [capabilities.vector.schema] : [])]);
  return {
    search_path: [...path].map((name) => escapeIdentifier(name)).join(","),
    statement_timeout: String(Math.ceil(config.DB_STATEMENT_TIMEOUT)),
  };
}

async function inspectServer(options: OpenDatabaseOptions): Promise<ServerCapabilities> {
  const { config, logger, schema } = options;
  const settings = clientConfig({ config, applicationName: options.applicationName, session: {}, logger });
  const clients = [new Client(settings), new Client(settings)] as const;
  try {
    for (const client of clients) {
      client.on("error", (error) => logger.debug({ err: error }, "a database connection broke"));
      await client.connect();
    }
    const capabilities = await detectCapabilities(...clients);
    await prepareSchema(clients[0], { schema, logger });
    warnAboutVector(capabilities, logger);
    return capabilities;
  } catch (error) {
    throw translatePgError(error);
  } finally {
    await Promise.all(clients.map((client) => client.end().catch(() => {})));
  }
}

function warnAboutVector({ vector, concurrentSessions }: ServerCapabilities, logger: Logger): void {
  if (vector && concurrentSessions && compareVersions(vector.version, SOUND_PGVECTOR) < 0) {
    logger.warn(
      { installed: vector.version, needed: SOUND_PGVECTOR },
      "this pgvector has known faults when VACUUM meets an HNSW index: upgrade it",
    );
  }
}

class PooledDatabase implements Database {
  readonly schema: string;
  readonly pool: ConnectionPool;
  readonly logger: Logger;
  readonly #statementTimeout: number;
  #capabilities: ServerCapabilities;

  constructor(
    config: DatabaseConfig,
    schema: string,
    logger: Logger,
    pool: ConnectionPool,
    capabilities: ServerCapabilities,
  ) {
    this.schema = schema;
    this.logger = logger;
    this.pool = pool;
    this.#statementTimeout = config.DB_STATEMENT_TIMEOUT;
    this.#capabilities = capabilities;
  }

  get capabilities(): ServerCapabilities {
    return this.#capabilities;
  }

  async query<R>(sql: string, params: readonly unknown[] = []): Promise<{ rows: R[]; rowCount: number }> {
    let client: PoolClient | undefined;
    let reusable = true;
    try {
      client = await this.pool.acquire();
      const statement = {
        text: sql,
        values: [...params],
        query_timeout: this.#statementTimeout + CLIENT_GRACE_MS,
      };
      const { rows, rowCount } = await client.query(statement as QueryConfig);
      return { rows: rows as R[], rowCount: rowCount ?? 0 };
    } catch (error) {
      reusable = !breaksConnection(error);
      throw translatePgError(error);
    } finally {
      client?.release(!reusable);
    }
  }

  transaction<T>(work: (client: PoolClient) => Promise<T>, options?: TransactionOptions): Promise<T> {
    return runTransaction(
      { pool: this.pool, capabilities: this.#capabilities, logger: this.logger },
      work,
      options,
    );
  }

  poolStats(): { total: number; idle: number; waiting: number } {
    return this.pool.stats();
  }

  async refreshCapabilities(): Promise<ServerCapabilities> {
    let client: PoolClient | undefined;
    try {
      client = await this.pool.acquire();
      this.#capabilities = { ...this.#capabilities, ...(await describeServer(client)) };
      return this.#capabilities;
    } catch (error) {
      throw translatePgError(error);
    } finally {
      client?.release();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.pool[Symbol.asyncDispose]();
  }
}

/**
 * Creates pgvector in this database where that is possible: in `public`, so that every service finds it.
 * @returns the capabilities afterwards; `vector` is undefined when the server has no pgvector or this role may not
 *   create it (then an administrator has to, once).
 */
export async function ensureVector(db: Database): Promise<ServerCapabilities> {
  if (db.capabilities.vector || db.capabilities.vectorAvailable === undefined) return db.capabilities;
  try {
    await db.query("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public");
  } catch (error) {
    if (!(error instanceof KindredError)) throw error;
    // Refused, or somebody else was creating it at this moment; what counts is whether it is there now.
    db.logger.warn({ err: error }, "pgvector could not be created in this database");
  }
  return await db.refreshCapabilities();
}
