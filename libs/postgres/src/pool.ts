import type { Logger } from "@kindred/telemetry";
import {
  Pool,
  type ClientBase,
  type ClientConfig,
  type PoolClient,
  type PoolConfig,
  type QueryConfig,
} from "pg";
import { poolLimits, type DatabaseConfig } from "./settings.ts";

/** A connection that was used within this time is not tried before it is used again: a ping costs a round trip. */
const FRESH_MS = 1000;
/** A connection that does not answer a ping for this long is dead. */
const PING_TIMEOUT_MS = 2000;
/** How long a connection above the kept ones stays open when nobody wants it. */
const OVERFLOW_IDLE_MS = 10_000;

/** Connections of one pool at one moment. */
export interface PoolStats {
  /** Those that are open. */
  total: number;
  /** Those that nobody uses. */
  idle: number;
  /** Requests that wait for one. */
  waiting: number;
  /** How many there may be. */
  max: number;
}

/** How a connection is made. */
export interface ConnectionOptions {
  config: DatabaseConfig;
  applicationName: string;
  logger: Logger;
  /** Settings of every session of this pool. */
  session: Readonly<Record<string, string>>;
  /** How a session gets them: as it starts, or (poolers such as PgBouncer refuse that) by statements after it. */
  sessionBy: "startup" | "statements";
}

export interface PoolOptions extends ConnectionOptions {
  /** Whether connections wait for each other: one that does not answer at once is not dead then. */
  serial: boolean;
}

/** The fields of a connection to this server, for pools and for single clients alike. */
export function clientConfig(options: ConnectionOptions): ClientConfig {
  const { config, session } = options;
  const startupOptions = Object.entries(session)
    .map(([name, value]) => `-c ${name}=${value.replace(/[\\ ]/g, "\\$&")}`)
    .join(" ");
  return {
    connectionString: config.DATABASE_URL,
    application_name: options.applicationName,
    connectionTimeoutMillis: config.DB_POOL_TIMEOUT,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    ...(options.sessionBy === "startup" ? { options: startupOptions } : {}),
  };
}

/** Gives a session its settings after its start. */
export async function applySession(
  client: ClientBase,
  session: Readonly<Record<string, string>>,
): Promise<void> {
  const entries = Object.entries(session);
  const calls = entries.map((_, i) => `set_config($${2 * i + 1}, $${2 * i + 2}, false)`);
  if (calls.length > 0) await client.query(`SELECT ${calls.join(", ")}`, entries.flat());
}

/**
 * Connections to one server, handed out one at a time. What it adds to pg's own: a connection that was idle is tried
 * before it is handed out and replaced when it is dead, and nothing that happens to an idle one ends the process.
 */
export class ConnectionPool implements AsyncDisposable {
  readonly #pool: Pool;
  readonly #max: number;
  readonly #prePing: boolean;
  readonly #logger: Logger;
  readonly #lastUsed = new WeakMap<PoolClient, number>();

  constructor(options: PoolOptions) {
    const { config } = options;
    const limits = poolLimits(config);
    this.#max = limits.kept + limits.overflow;
    this.#prePing = config.DB_POOL_PRE_PING && !options.serial;
    this.#logger = options.logger;
    const poolConfig: PoolConfig & { onConnect?: (client: ClientBase) => Promise<void> } = {
      ...clientConfig(options),
      ...(options.sessionBy === "statements"
        ? { onConnect: (client) => applySession(client, options.session) }
        : {}),
      min: limits.kept,
      max: this.#max,
      maxUses: limits.usesPerConnection,
      idleTimeoutMillis: OVERFLOW_IDLE_MS,
      maxLifetimeSeconds: Math.ceil(config.DB_POOL_RECYCLE / 1000),
    };
    this.#pool = new Pool(poolConfig);
    this.#pool.on("error", (error) => this.#logger.warn({ err: error }, "an idle database connection broke"));
    this.#pool.on("release", (_error, client) => this.#lastUsed.set(client, performance.now()));
    this.#pool.on("connect", (client) => {
      // A connection that breaks while it is in use fails its statement; without a listener it would end the process.
      client.on("error", (error) => this.#logger.debug({ err: error }, "a database connection broke"));
      if (config.DB_ECHO) this.#echo(client);
    });
  }

  /**
   * A connection that answers. The caller owns it until `release()`; `release(true)` closes it.
   * @throws the driver's errors: none free in time, server not reachable, user refused; the signal's reason.
   */
  async acquire(signal?: AbortSignal): Promise<PoolClient> {
    for (;;) {
      const client = await unlessAborted(this.#pool.connect(), signal);
      if (await this.#isAlive(client)) return client;
      client.release(true);
    }
  }

  stats(): PoolStats {
    const { totalCount, idleCount, waitingCount } = this.#pool;
    return { total: totalCount, idle: idleCount, waiting: waitingCount, max: this.#max };
  }

  /** Waits for the connections that are in use, and closes all. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#pool.ending) await this.#pool.end();
  }

  async #isAlive(client: PoolClient): Promise<boolean> {
    const lastUsed = this.#lastUsed.get(client);
    if (!this.#prePing || lastUsed === undefined || performance.now() - lastUsed < FRESH_MS) return true;
    try {
      await client.query({ text: "SELECT 1", query_timeout: PING_TIMEOUT_MS } as QueryConfig);
      return true;
    } catch (error) {
      this.#logger.info({ err: error }, "a dead database connection was replaced");
      return false;
    }
  }

  #echo(client: PoolClient): void {
    const query = client.query.bind(client) as (...args: unknown[]) => unknown;
    const logged = (...args: unknown[]): unknown => {
      const [statement] = args;
      const sql =
        typeof statement === "string" ? statement : (statement as { text?: string } | undefined)?.text;
      this.#logger.debug({ sql }, "sql");
      return query(...args);
    };
    client.query = logged as typeof client.query;
  }
}

/** The connection, or the signal's reason if that comes first; a connection that comes too late goes back. */
async function unlessAborted(connecting: Promise<PoolClient>, signal?: AbortSignal): Promise<PoolClient> {
  if (!signal) return await connecting;
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([connecting, aborted.promise]);
  } catch (error) {
    if (signal.aborted) void giveBack(connecting);
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

async function giveBack(connecting: Promise<PoolClient>): Promise<void> {
  try {
    (await connecting).release();
  } catch {
    // Nobody waits any more for the connection that could not be made.
  }
}
