import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "@jest/globals";
import { ConfigError } from "@kindred/config";
import { invalidField, KindredError, type ErrorKind } from "@kindred/errors";
import { toConnectError } from "@kindred/rpc";
import { EXIT } from "./exit-codes.ts";
import { explain, Failure } from "./failure.ts";

const URL = "http://127.0.0.1:1";
const systemError = (code: string): Error => Object.assign(new Error(`${code}: no`), { code });

test("a failure that was foreseen says it itself", () => {
  expect(explain(new Failure("No.", { exitCode: EXIT.data, remedy: "Do." }), URL)).toEqual({
    kind: "failure",
    message: "No.",
    remedy: "Do.",
    exitCode: 65,
  });
});

test("nobody listens: where, and how to start it", () => {
  const error = new ConnectError(
    "connect ECONNREFUSED",
    Code.Unavailable,
    undefined,
    undefined,
    systemError("ECONNREFUSED"),
  );
  expect(explain(error, URL)).toMatchObject({
    kind: "unavailable",
    message: "Kindred cannot be reached at http://127.0.0.1:1 (ECONNREFUSED).",
    remedy: expect.stringContaining("npm start"),
    exitCode: 69,
  });
  // The connection broke while the request was written.
  const broken = new ConnectError("write EPIPE", Code.Internal, undefined, undefined, systemError("EPIPE"));
  expect(explain(broken, URL)).toMatchObject({ kind: "unavailable", exitCode: 69 });
  // fetch() hides the reason as a cause.
  expect(explain(new TypeError("fetch failed", { cause: systemError("ENOTFOUND") }), URL).exitCode).toBe(69);
});

test("a service's answer keeps its message, and every bad field", () => {
  const explained = explain(toConnectError(invalidField("k", "must be 1 to 1000, is 0")), URL);
  expect(explained).toMatchObject({
    kind: "invalid-argument",
    message: "k must be 1 to 1000, is 0",
    exitCode: 2,
    violations: [{ field: "k", description: "must be 1 to 1000, is 0" }],
  });
});

describe("exit codes", () => {
  test.each<[ErrorKind, number]>([
    ["unavailable", 69],
    ["deadline-exceeded", 69],
    ["resource-exhausted", 69],
    ["not-found", 1],
    ["already-exists", 1],
    ["failed-precondition", 1],
    ["internal", 1],
    ["cancelled", 130],
  ])("%s: %d", (kind, code) => {
    expect(explain(new KindredError(kind, "x"), URL).exitCode).toBe(code);
  });

  test("configuration 78, full disk 73, anything else 1", () => {
    expect(explain(new ConfigError(["A is bad"]), URL)).toMatchObject({
      exitCode: 78,
      message: expect.stringContaining("A is bad"),
    });
    expect(explain(systemError("ENOSPC"), URL)).toMatchObject({
      exitCode: 73,
      message: expect.stringMatching(/^The disk is full/),
    });
    expect(explain(new Error("what"), URL)).toMatchObject({ exitCode: 1, message: "what" });
  });
});
