import { isKindredError, KindredError, type ErrorKind } from "@kindred/errors";

interface Translation {
  kind: ErrorKind;
  /** For people; without it PostgreSQL's own message is used. */
  message?: string;
  retryAfterMs?: number;
}

/**
 * SQLSTATE, or its class of two characters, to what it means for the caller. The whole code wins over the class.
 * Codes: PostgreSQL documentation, appendix A. What is not listed is a fault of ours and stays as it is.
 */
const SQLSTATES: Readonly<Record<string, Translation>> = {
  "08": { kind: "unavailable", message: "the connection to the database failed", retryAfterMs: 500 },
  "0A": { kind: "unimplemented" },
  // Data exceptions: out of range, bad syntax of a value, vectors of different dimensions.
  "22": { kind: "invalid-argument" },
  "23502": { kind: "invalid-argument" },
  "23503": { kind: "failed-precondition" },
  "23505": { kind: "already-exists" },
  "23514": { kind: "invalid-argument" },
  "23P01": { kind: "already-exists" },
  "25006": { kind: "unavailable", message: "the database is read-only at the moment", retryAfterMs: 1000 },
  "28": { kind: "failed-precondition", message: "the database refuses the user or password of DATABASE_URL" },
  "3D000": { kind: "failed-precondition" },
  "40001": { kind: "aborted", retryAfterMs: 20 },
  "40P01": { kind: "aborted", retryAfterMs: 20 },
  "42501": { kind: "failed-precondition" },
  "42P01": { kind: "failed-precondition" },
  "42704": { kind: "failed-precondition" },
  "53": { kind: "resource-exhausted", retryAfterMs: 1000 },
  "53100": { kind: "resource-exhausted", message: "the database's disk is full" },
  "53200": { kind: "resource-exhausted", message: "the database is out of memory", retryAfterMs: 1000 },
  "53300": {
    kind: "resource-exhausted",
    message: "the database has no free connection slot: lower DB_POOL_SIZE or raise its max_connections",
    retryAfterMs: 1000,
  },
  "54000": { kind: "failed-precondition" },
  "55P03": { kind: "aborted", retryAfterMs: 100 },
  "55000": { kind: "failed-precondition" },
  "57014": { kind: "cancelled", message: "the statement was cancelled" },
  "57P01": { kind: "unavailable", message: "the database is shutting down", retryAfterMs: 1000 },
  "57P02": { kind: "unavailable", message: "the database restarts after a crash", retryAfterMs: 1000 },
  "57P03": {
    kind: "unavailable",
    message: "the database is starting up or shutting down",
    retryAfterMs: 1000,
  },
  "57P05": { kind: "unavailable", message: "the database closed an idle connection", retryAfterMs: 0 },
  "58030": { kind: "data-loss", message: "the database cannot read or write its files" },
  XX001: { kind: "data-loss", message: "the database found damaged data" },
  XX002: { kind: "data-loss", message: "the database found a damaged index: REINDEX it" },
};

const UNREACHABLE = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ENOENT",
  "EPIPE",
  "ETIMEDOUT",
]);

/** What `pg` throws without any code. */
const CLIENT_MESSAGES: readonly { pattern: RegExp; translation: Translation }[] = [
  {
    pattern: /^timeout exceeded when trying to connect/,
    translation: {
      kind: "resource-exhausted",
      message: "no database connection became free in time: too much is asked of it at once",
      retryAfterMs: 500,
    },
  },
  {
    pattern:
      /^(Connection terminated|Client has encountered a connection error|Client was closed|timeout expired)/,
    translation: { kind: "unavailable", message: "the connection to the database failed", retryAfterMs: 500 },
  },
  {
    pattern: /^Query read timeout/,
    translation: { kind: "deadline-exceeded", message: "the database did not answer in time" },
  },
];

/** What `pg` reports about a failed statement; the fields that are used here. */
interface PostgresError extends Error {
  code: string;
  severity?: string;
  detail?: string;
  hint?: string;
  table?: string;
  column?: string;
  constraint?: string;
}

/** The driver's error, also when TypeORM wraps it; the first of several for a host with several addresses. */
function driverErrorOf(error: unknown): unknown {
  if (!Error.isError(error)) return error;
  if ("driverError" in error) return driverErrorOf(error.driverError);
  if ("errors" in error && Array.isArray(error.errors) && error.errors.length > 0) return error.errors[0];
  return error;
}

/**
 * The SQLSTATE of a failed statement, also below TypeORM's and this module's errors; undefined for anything else.
 */
export function sqlStateOf(error: unknown): string | undefined {
  const inner = driverErrorOf(isKindredError(error) ? error.cause : error);
  if (!Error.isError(inner) || !("code" in inner) || typeof inner.code !== "string") return undefined;
  return /^[0-9A-Z]{5}$/.test(inner.code) && "severity" in inner ? inner.code : undefined;
}

/** Whether the statement failed because a row with that key is there; `constraint` asks for one constraint only. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  if (sqlStateOf(error) !== "23505") return false;
  if (constraint === undefined) return true;
  const inner = driverErrorOf(isKindredError(error) ? error.cause : error) as PostgresError;
  return inner.constraint === constraint;
}

function fromSqlState(error: PostgresError): KindredError | undefined {
  const found = SQLSTATES[error.code] ?? SQLSTATES[error.code.slice(0, 2)];
  if (!found) return undefined;
  let { kind, message } = found;
  if (error.code === "57014" && error.message.includes("statement timeout")) {
    kind = "deadline-exceeded";
    message = "the statement took longer than it may";
  }
  const text = message ?? [error.message, error.detail].filter(Boolean).join(": ");
  const metadata: Record<string, string> = { sqlstate: error.code };
  for (const key of ["table", "column", "constraint"] as const) {
    const value = error[key];
    if (value !== undefined) metadata[key] = value;
  }
  return new KindredError(kind, text, {
    cause: error,
    metadata,
    ...(found.retryAfterMs === undefined ? {} : { retryAfterMs: found.retryAfterMs }),
  });
}

/**
 * An error of the database, its driver or TypeORM as a KindredError with the original as its cause. KindredErrors
 * and what is not the database's (or is a fault in our SQL) come back as they are.
 */
export function translatePgError(error: unknown): unknown {
  if (isKindredError(error)) return error;
  const inner = driverErrorOf(error);
  if (!Error.isError(inner)) return error;
  if (sqlStateOf(inner) !== undefined) return fromSqlState(inner as PostgresError) ?? error;
  if ("code" in inner && UNREACHABLE.has(inner.code as string) && "syscall" in inner) {
    return new KindredError("unavailable", "the database cannot be reached", {
      cause: inner,
      retryAfterMs: 500,
    });
  }
  const known = CLIENT_MESSAGES.find(({ pattern }) => pattern.test(inner.message))?.translation;
  if (!known) return error;
  return new KindredError(known.kind, known.message as string, {
    cause: inner,
    ...(known.retryAfterMs === undefined ? {} : { retryAfterMs: known.retryAfterMs }),
  });
}

/** Whether the connection itself is of no more use after this error, and not only the statement. */
export function breaksConnection(error: unknown): boolean {
  const inner = driverErrorOf(isKindredError(error) ? error.cause : error);
  if (!Error.isError(inner)) return false;
  if (sqlStateOf(inner) !== undefined) {
    const { severity, code } = inner as PostgresError;
    return severity === "FATAL" || severity === "PANIC" || code.startsWith("08") || code.startsWith("57P");
  }
  if ("code" in inner && UNREACHABLE.has(inner.code as string)) return true;
  return CLIENT_MESSAGES.some(({ pattern }) => pattern.test(inner.message));
}
