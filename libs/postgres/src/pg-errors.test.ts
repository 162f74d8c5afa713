import { describe, expect, test } from "@jest/globals";
import { KindredError } from "@kindred/errors";
import { breaksConnection, isUniqueViolation, sqlStateOf, translatePgError } from "./pg-errors.ts";

function postgresError(code: string, message: string, fields: Record<string, string> = {}): Error {
  return Object.assign(new Error(message), { code, severity: "ERROR", ...fields });
}

/** TypeORM's way to say it. */
const wrapped = (driverError: Error): Error => Object.assign(new Error("QueryFailedError"), { driverError });

describe("translatePgError", () => {
  test.each([
    ["23505", "already-exists"],
    ["23503", "failed-precondition"],
    ["23502", "invalid-argument"],
    ["23514", "invalid-argument"],
    ["22001", "invalid-argument"],
    ["22000", "invalid-argument"],
    ["40001", "aborted"],
    ["40P01", "aborted"],
    ["53300", "resource-exhausted"],
    ["53100", "resource-exhausted"],
    ["53200", "resource-exhausted"],
    ["53400", "resource-exhausted"],
    ["08006", "unavailable"],
    ["57P01", "unavailable"],
    ["57P03", "unavailable"],
    ["28P01", "failed-precondition"],
    ["3D000", "failed-precondition"],
    ["42P01", "failed-precondition"],
    ["0A000", "unimplemented"],
    ["XX001", "data-loss"],
  ])("%s is %s, bare and in TypeORM's wrapping", (code, kind) => {
    const error = postgresError(code, "what PostgreSQL says");
    for (const thrown of [error, wrapped(error)]) {
      const translated = translatePgError(thrown);
      expect(translated).toMatchObject({
        name: "KindredError",
        kind,
        cause: error,
        metadata: { sqlstate: code },
      });
    }
  });

  test("tells a statement that took too long from one that was cancelled", () => {
    const late = postgresError("57014", "canceling statement due to statement timeout");
    const cancelled = postgresError("57014", "canceling statement due to user request");
    expect(translatePgError(late)).toMatchObject({ kind: "deadline-exceeded" });
    expect(translatePgError(cancelled)).toMatchObject({ kind: "cancelled" });
  });

  test("keeps what names the fault, and says when to try again", () => {
    const error = postgresError("23505", "duplicate key", {
      detail: "Key (path)=(a) already exists.",
      constraint: "images_path_key",
      table: "images",
    });
    expect(translatePgError(error)).toMatchObject({
      message: "duplicate key: Key (path)=(a) already exists.",
      metadata: { sqlstate: "23505", constraint: "images_path_key", table: "images" },
    });
    expect(translatePgError(postgresError("40001", "x"))).toMatchObject({ retryAfterMs: 20 });
  });

  test.each([
    [
      Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED", syscall: "connect" }),
      "unavailable",
    ],
    [
      Object.assign(
        new AggregateError([Object.assign(new Error(), { code: "ECONNREFUSED", syscall: "connect" })]),
        {
          code: "ECONNREFUSED",
        },
      ),
      "unavailable",
    ],
    [new Error("Connection terminated unexpectedly"), "unavailable"],
    [new Error("Connection terminated due to connection timeout"), "unavailable"],
    [new Error("timeout exceeded when trying to connect"), "resource-exhausted"],
    [new Error("Query read timeout"), "deadline-exceeded"],
  ])("%s is %s", (error, kind) => {
    expect(translatePgError(error)).toMatchObject({ name: "KindredError", kind });
    expect(breaksConnection(error)).toBe(true);
  });

  test("leaves alone what is a fault of ours or was translated before", () => {
    const ours = [
      postgresError("42601", "syntax error"),
      new TypeError("x is not a function"),
      new KindredError("not-found", "no such image"),
      Object.assign(new Error("no such file"), { code: "ENOENT" }),
      "a string",
      undefined,
    ];
    for (const error of ours) expect(translatePgError(error)).toBe(error);
  });
});

test("an error of a statement leaves its connection usable, the end of a session does not", () => {
  expect(breaksConnection(postgresError("23505", "duplicate"))).toBe(false);
  expect(breaksConnection(new TypeError("x"))).toBe(false);
  expect(breaksConnection(postgresError("57P01", "terminating", { severity: "FATAL" }))).toBe(true);
  expect(breaksConnection(translatePgError(postgresError("23505", "duplicate")))).toBe(false);
  expect(breaksConnection(translatePgError(postgresError("57P01", "terminating")))).toBe(true);
  expect(breaksConnection(new KindredError("not-found", "no such image"))).toBe(false);
  expect(breaksConnection(postgresError("25P03", "idle in transaction", { severity: "FATAL" }))).toBe(true);
});

test("SQLSTATE and constraint are found below every wrapping", () => {
  const error = postgresError("23505", "duplicate", { constraint: "images_pkey" });
  for (const thrown of [error, wrapped(error), translatePgError(error), translatePgError(wrapped(error))]) {
    expect(sqlStateOf(thrown)).toBe("23505");
    expect(isUniqueViolation(thrown, "images_pkey")).toBe(true);
    expect(isUniqueViolation(thrown, "other")).toBe(false);
  }
  expect(sqlStateOf(Object.assign(new Error("pipe"), { code: "EPIPE", syscall: "write" }))).toBeUndefined();
});
