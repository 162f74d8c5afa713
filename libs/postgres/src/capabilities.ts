import { KindredError } from "@kindred/errors";
import type { ClientBase } from "pg";

/** What this server can do. Code asks this and never which product it speaks to. */
export interface ServerCapabilities {
  /** E.g. "17.9". */
  serverVersion: string;
  /** pgvector as it is installed in this database; undefined when it is not. */
  vector: { version: string; schema: string } | undefined;
  /** The version of pgvector that CREATE EXTENSION would install; undefined when the server has none. */
  vectorAvailable: string | undefined;
  /** COPY FROM STDIN can be used. */
  copy: boolean;
  /** Advisory locks exclude other connections. */
  advisoryLocks: boolean;
  /** statement_timeout is kept, and a running statement can be cancelled. */
  statementTimeout: boolean;
  /** Connections are served at the same time, each in a session of its own; otherwise an open transaction stops all others. */
  concurrentSessions: boolean;
  /** Sessions are this process's own from start to end, and keep the statements that are prepared in them. */
  preparedStatements: boolean;
  /** CREATE INDEX CONCURRENTLY lets others write meanwhile. */
  createIndexConcurrently: boolean;
  /** Names of the extensions installed in this database. */
  extensions: ReadonlySet<string>;
}

const OLDEST_SUPPORTED = 150_000;

interface Queryable {
  query: ClientBase["query"];
}

/**
 * A pooler that takes no settings at a session's start may hand each transaction to another session of the server's.
 */
type SessionStart = { sessionBy: "startup" | "statements" };

/**
 * Finds out what a server can do from two connections to it, idle both. Nothing is tried that might harm: a server
 * whose two connections share one backend process has one session for everybody (PGlite behind its socket), and
 * from that follows what it cannot do. COPY FROM STDIN would end the connection there.
 * @throws KindredError failed-precondition when the server is too old.
 */
export async function detectCapabilities(
  first: Queryable,
  second: Queryable,
  { sessionBy }: SessionStart,
): Promise<ServerCapabilities> {
  const backend = "SELECT pg_backend_pid() AS pid";
  const one = await first.query<{ pid: number }>(backend);
  const other = await second.query<{ pid: number }>(backend);
  const ownSessions = one.rows[0]?.pid !== other.rows[0]?.pid;
  const sessions = await sessionCapabilities(first, ownSessions);
  const preparedStatements = sessions.concurrentSessions && sessionBy === "startup";
  return { ...(await describeServer(first)), ...sessions, preparedStatements };
}

/** The part that CREATE EXTENSION and upgrades change. */
export async function describeServer(
  client: Queryable,
): Promise<Pick<ServerCapabilities, "serverVersion" | "vector" | "vectorAvailable" | "extensions">> {
  const { rows } = await client.query<{
    number: number;
    version: string;
    available: string | null;
    extensions: { name: string; version: string; schema: string }[] | null;
  }>(`
    SELECT current_setting('server_version_num')::int AS number,
           current_setting('server_version') AS version,
           (SELECT default_version FROM pg_available_extensions WHERE name = 'vector') AS available,
           (SELECT json_agg(json_build_object('name', e.extname, 'version', e.extversion, 'schema', n.nspname))
              FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace) AS extensions`);
  const row = rows[0] as (typeof rows)[0];
  const serverVersion = row.version.split(" ")[0] as string;
  if (row.number < OLDEST_SUPPORTED) {
    throw new KindredError(
      "failed-precondition",
      `PostgreSQL 15 or newer is needed, this is ${serverVersion}`,
    );
  }
  const installed = row.extensions ?? [];
  const vector = installed.find((extension) => extension.name === "vector");
  return {
    serverVersion,
    vector: vector && { version: vector.version, schema: vector.schema },
    vectorAvailable: row.available ?? undefined,
    extensions: new Set(installed.map((extension) => extension.name)),
  };
}

type SessionCapabilities = Pick<
  ServerCapabilities,
  "copy" | "advisoryLocks" | "statementTimeout" | "concurrentSessions" | "createIndexConcurrently"
>;

async function sessionCapabilities(client: Queryable, ownSessions: boolean): Promise<SessionCapabilities> {
  const { rows } = await client.query<{ version: string }>("SELECT version() AS version");
  // Compiled to WebAssembly there are no processes, and so no signals that could interrupt a statement.
  const realProcesses = !/emscripten|wasm/i.test(rows[0]?.version ?? "");
  return {
    copy: ownSessions && realProcesses,
    advisoryLocks: ownSessions,
    statementTimeout: realProcesses,
    concurrentSessions: ownSessions && realProcesses,
    createIndexConcurrently: ownSessions && realProcesses,
  };
}

/** Compares dotted versions numerically: negative when `a` is older. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) =>
    version.split(".").map((part) => Number.parseInt(part, 10) || 0),
  );
  for (let i = 0; i < Math.max(left?.length ?? 0, right?.length ?? 0); i++) {
    const difference = (left?.[i] ?? 0) - (right?.[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
