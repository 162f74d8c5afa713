import { KindredError } from "@kindred/errors";
import type { Logger } from "@kindred/telemetry";
import { Client, escapeIdentifier, type PoolClient, type QueryConfig, type QueryResultRow } from "pg";
import {
  compareVersions,
  describeServer,
  detectCapabilities,
  type ServerCapabilities,
} from "./capabilities.ts";
import { breaksConnection, sqlStateOf, translatePgError } from "./pg-errors.ts";
import {
  applySession,
  clientConfig,
  ConnectionPool,
  type ConnectionOptions,
  type PoolStats,
} from "./pool.ts";
import { prepareSchema } from "./schema.ts";
import type { DatabaseConfig } from "./settings.ts";
import { runSingleStatement, type SingleStatement } from "./single-statement.ts";
import { runTransaction, type TransactionDeps, type TransactionOptions } from "./transaction.ts";

export interface OpenDatabaseOptions {
  config: DatabaseConfig;
  /** The service's schema, e.g. "vector_store": it is created, and unqualified names are looked up there first. */
  schema: string;
  /** As pg_stat_activity shows it. */
  applicationName: string;
  logger: Logger;
  /** A server that takes no writes, such as a read replica: its schema is as it is. */
  readOnly?: boolean;
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
  /** One statement in a transaction of its own with settings and limits of its own, in one round trip: see runSingleStatement. */
  statement<R extends QueryResultRow>(
    statement: SingleStatement,
    options?: TransactionOptions,
  ): Promise<{ rows: R[]; rowCount: number }>;
  /** See runTransaction. */
  transaction<T>(work: (client: PoolClient) => Promise<T>, options?: TransactionOptions): Promise<T>;
  poolStats(): PoolStats;
  /**
   * A connection outside of the pool, with the settings of the pool's, for what lasts: listening, long builds. It is the caller's to end,
   * and its "error" events are logged. @throws KindredError
   */
  openSession(): Promise<Client>;
  /** Looks again which extensions are there, after one was created. */
  refreshCapabilities(): Promise<ServerCapabilities>;
}

/** Older ones on disk that lives on: indexes may be damaged by VACUUM (pgvector's changelog, 0.8.3 and 0.8.4). */
const SOUND_PGVECTOR = "0.8.4";
/** The client waits this much longer than the server's own limit before it gives a connection up. */
const CLIENT_GRACE_MS = 5000;

/**
 * Connects, finds out what the server can do, and makes sure of the service's schema unless the server is to be read only.
 * @throws KindredError unavailable when the server cannot be reached; failed-precondition when it refuses the user,
 *   lacks the database, or is too old.
 */
export async function openDatabase(options: OpenDatabaseOptions): Promise<Database> {
  const { config, schema, applicationName, logger } = options;
  const session = sessionSettings(config, schema);
  try {
    const sessionBy = await howToSetSessions({ config, applicationName, logger, session });
    const capabilities = await inspectServer(
      { config, applicationName, logger, session, sessionBy },
      options.readOnly ? undefined : schema,
    );
    warnAboutVector(capabilities, logger);
    addVectorSchema(session, capabilities);
    const serial = !capabilities.concurrentSessions;
    const connection = { config, applicationName, logger, session, sessionBy };
    const pool = new ConnectionPool({ ...connection, serial });
    return new PooledDatabase(connection, schema, pool, capabilities);
  } catch (error) {
    throw translatePgError(error);
  }
}

function sessionSettings(config: DatabaseConfig, schema: string): Record<string, string> {
  return {
    search_path: [schema, "public"].map((name) => escapeIdentifier(name)).join(","),
    statement_timeout: String(Math.ceil(config.DB_STATEMENT_TIMEOUT)),
    // Times that are read as text mean the same moment when they are written again, whatever style the role or the database has: 'IST' of India would
    // be Israel's.
    DateStyle: "ISO",
    // Statements here take milliseconds; compiling one takes longer than it could ever gain.
    jit: "off",
  };
}

/** pgvector may live in a schema of its own; its types and operators have to be found there. */
function addVectorSchema(session: Record<string, string>, { vector }: ServerCapabilities): void {
  const quoted = vector && escapeIdentifier(vector.schema);
  if (quoted && !session["search_path"]?.split(",").includes(quoted)) session["search_path"] += `,${quoted}`;
}

function newClient(options: ConnectionOptions): Client {
  const client = new Client(clientConfig(options));
  client.on("error", (error) => options.logger.debug({ err: error }, "a database connection broke"));
  return client;
}

async function withClient<T>(options: ConnectionOptions, work: (client: Client) => Promise<T>): Promise<T> {
  const client = newClient(options);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Poolers between us and the server may know none of the settings that a session can start with. */
async function howToSetSessions(
  options: Omit<ConnectionOptions, "sessionBy">,
): Promise<ConnectionOptions["sessionBy"]> {
  // Options in the URL are somebody's own, and take the place of ours.
  if (URL.parse(options.config.DATABASE_URL)?.searchParams.has("options")) return "statements";
  try {
    await withClient({ ...options, sessionBy: "startup" }, async () => {});
    return "startup";
  } catch (error) {
    if (sqlStateOf(error) !== "08P01") throw error;
    options.logger.info("the server takes no settings at a session's start; they are set by statements");
    return "statements";
  }
}

function inspectServer(options: ConnectionOptions, schema: string | undefined): Promise<ServerCapabilities> {
  return withClient(options, (first) =>
    withClient(options, async (second) => {
      const capabilities = await detectCapabilities(first, second, options);
      if (schema !== undefined) await prepareSchema(first, { schema, logger: options.logger });
      return capabilities;
    }),
  );
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
  readonly #connection: ConnectionOptions;
  readonly #statementTimeout: number;
  #capabilities: ServerCapabilities;

  constructor(
    connection: ConnectionOptions,
    schema: string,
    pool: ConnectionPool,
    capabilities: ServerCapabilities,
  ) {
    this.schema = schema;
    this.logger = connection.logger;
    this.pool = pool;
    this.#connection = connection;
    this.#statementTimeout = connection.config.DB_STATEMENT_TIMEOUT;
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
        // Where the server cannot interrupt a statement, giving up on it would free nothing.
        query_timeout: this.#capabilities.statementTimeout ? this.#statementTimeout + CLIENT_GRACE_MS : 0,
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

  async statement<R extends QueryResultRow>(
    statement: SingleStatement,
    options?: TransactionOptions,
  ): Promise<{ rows: R[]; rowCount: number }> {
    const { text, values } = statement;
    // Where everybody has the same session, messages of several clients would mix.
    const { rows, rowCount } = this.#capabilities.concurrentSessions
      ? await runSingleStatement<R>(this.#transactionDeps(), statement, options)
      : await this.transaction((client) => client.query<R>(text, [...values]), options);
    return { rows, rowCount: rowCount ?? 0 };
  }

  transaction<T>(work: (client: PoolClient) => Promise<T>, options?: TransactionOptions): Promise<T> {
    return runTransaction(this.#transactionDeps(), work, options);
  }

  #transactionDeps(): TransactionDeps {
    return { pool: this.pool, capabilities: this.#capabilities, logger: this.logger };
  }

  poolStats(): PoolStats {
    return this.pool.stats();
  }

  async openSession(): Promise<Client> {
    const client = newClient(this.#connection);
    try {
      await client.connect();
      if (this.#connection.sessionBy === "statements") await applySession(client, this.#connection.session);
      return client;
    } catch (error) {
      await client.end();
      throw translatePgError(error);
    }
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
    // Somebody else may have created it at this very moment.
    const { vector } = await db.refreshCapabilities();
    if (!vector) db.logger.warn({ err: error }, "pgvector could not be created in this database");
  }
  return await db.refreshCapabilities();
}
