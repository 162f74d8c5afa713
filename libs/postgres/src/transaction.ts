import { isKindredError, KindredError } from "@kindred/errors";
import type { Logger } from "@kindred/telemetry";
import { escapeLiteral, type PoolClient } from "pg";
import { requestCancel } from "./cancel.ts";
import type { ServerCapabilities } from "./capabilities.ts";
import { breaksConnection, translatePgError } from "./pg-errors.ts";
import type { ConnectionPool } from "./pool.ts";

export interface TransactionOptions {
  readOnly?: boolean;
  /** The server's default (read committed) when absent. */
  isolation?: "repeatable read" | "serializable";
  /** Settings of this transaction only, e.g. `{ "hnsw.ef_search": 200 }`. */
  settings?: Readonly<Record<string, string | number>>;
  /** Interrupts the running statement in the server, rolls back, and rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Longest time from BEGIN to COMMIT in milliseconds; 0 is without limit, also for each statement. */
  timeoutMs?: number | undefined;
}

export interface TransactionDeps {
  pool: ConnectionPool;
  capabilities: ServerCapabilities;
  logger: Logger;
}

/** After this long without an answer to a cancel request the connection is cut. */
const CUT_AFTER_MS = 2000;

const SETTING_NAME = /^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$/i;
/** A quoted value would be taken for one name of these lists. */
const LIST_SETTINGS = new Set(["search_path", "temp_tablespaces", "local_preload_libraries"]);

/**
 * One `SET LOCAL` statement a setting: set_config() and session-wide SET do not reach the workers of a distributed
 * database. Names are checked and values quoted.
 * @throws TypeError for a name or number that cannot be a setting: a fault in the calling code.
 */
export function setLocalStatements(settings: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(settings).map(([name, value]) => {
    if (!SETTING_NAME.test(name) || LIST_SETTINGS.has(name.toLowerCase())) {
      throw new TypeError(`not a setting that can be set for a transaction: ${JSON.stringify(name)}`);
    }
    if (typeof value === "number" && !Number.isFinite(value)) throw new TypeError(`${name} is ${value}`);
    return `SET LOCAL ${name} = ${typeof value === "number" ? String(value) : escapeLiteral(value)}`;
  });
}

export function beginStatements(options: TransactionOptions): string {
  const modes = [
    options.isolation && `ISOLATION LEVEL ${options.isolation.toUpperCase()}`,
    options.readOnly && "READ ONLY",
  ].filter(Boolean);
  const begin = `BEGIN ${modes.join(", ")}`.trim();
  const timeout = options.timeoutMs === undefined ? {} : { statement_timeout: Math.ceil(options.timeoutMs) };
  // One message, and so one round trip; still one statement each.
  return [begin, ...setLocalStatements({ ...timeout, ...options.settings })].join("; ");
}

/** The reason of an abort as an error for the caller. */
export function abortError(reason: unknown): KindredError {
  if (isKindredError(reason)) return reason;
  return Error.isError(reason) && reason.name === "TimeoutError"
    ? new KindredError("deadline-exceeded", "the database did not finish in time", { cause: reason })
    : new KindredError("cancelled", "the caller gave up", { cause: reason });
}

/** Aborts when the caller does, or when the time is over; undefined without either. */
export function limitOf({ signal, timeoutMs }: TransactionOptions): AbortSignal | undefined {
  const limit = timeoutMs ? AbortSignal.timeout(Math.ceil(timeoutMs)) : undefined;
  return signal && limit ? AbortSignal.any([signal, limit]) : (signal ?? limit);
}

/**
 * Runs `work` between BEGIN and COMMIT; whatever it throws rolls back and is thrown on, database errors as
 * KindredErrors. The client is the caller's until `work` settles, and must not be kept or released by it.
 */
export async function runTransaction<T>(
  deps: TransactionDeps,
  work: (client: PoolClient) => Promise<T>,
  options: TransactionOptions = {},
): Promise<T> {
  const begin = beginStatements(options);
  const signal = limitOf(options);
  if (signal?.aborted) throw abortError(signal.reason);

  let client: PoolClient;
  try {
    client = await deps.pool.acquire(signal);
  } catch (error) {
    throw signal?.aborted ? abortError(signal.reason) : translatePgError(error);
  }
  const watch = watchAbort(deps, client, signal);
  let reusable = false;
  try {
    signal?.throwIfAborted();
    await client.query(begin);
    const result = await work(client);
    watch.stop();
    signal?.throwIfAborted();
    const outcome = await client.query("COMMIT");
    reusable = true;
    if (outcome.command === "ROLLBACK") {
      throw new KindredError(
        "aborted",
        "a statement of the transaction failed, and so nothing of it was kept",
      );
    }
    return result;
  } catch (error) {
    if (signal?.aborted) throw abortError(signal.reason);
    reusable = !breaksConnection(error) && (await rolledBack(deps, client));
    throw translatePgError(error);
  } finally {
    watch.stop();
    client.release(!reusable);
  }
}

/** While it watches, an abort interrupts the statement that runs, and at last cuts the connection. */
export function watchAbort(
  deps: TransactionDeps,
  client: PoolClient,
  signal: AbortSignal | undefined,
): { stop: () => void } {
  if (!signal) return { stop: () => {} };
  let cut: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    cut = setTimeout(() => {
      deps.logger.warn("a cancelled statement did not end; its connection is cut");
      (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    }, CUT_AFTER_MS);
    if (deps.capabilities.statementTimeout) void requestCancel(client);
  };
  signal.addEventListener("abort", onAbort, { once: true });
  return {
    stop: () => {
      clearTimeout(cut);
      signal.removeEventListener("abort", onAbort);
    },
  };
}

async function rolledBack(deps: TransactionDeps, client: PoolClient): Promise<boolean> {
  try {
    await client.query("ROLLBACK");
    return true;
  } catch (error) {
    deps.logger.debug({ err: error }, "a transaction could not be rolled back; its connection is closed");
    return false;
  }
}
