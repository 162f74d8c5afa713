import { describe, expect, test } from "@jest/globals";
import { Code, ConnectError } from "@connectrpc/connect";
import { KindredError, type ErrorKind } from "@kindred/errors";
import { fromConnectError, toConnectError } from "./error-codes.ts";
import { decodeStatusDetails, encodeStatusDetails } from "./status-details.ts";

const KINDS: ErrorKind[] = [
  "invalid-argument",
  "not-found",
  "already-exists",
  "failed-precondition",
  "aborted",
  "resource-exhausted",
  "unavailable",
  "deadline-exceeded",
  "cancelled",
  "unimplemented",
  "data-loss",
  "internal",
];

describe("errors on the wire", () => {
  test.each(KINDS)("%s keeps kind, message and details over a gRPC trailer", (kind) => {
    const sent = new KindredError(kind, "what went wrong", {
      violations: [{ field: "images[3].width", description: "must be positive, is -1" }],
      retryAfterMs: 1_250.5,
      metadata: { batches_stored: "3" },
    });
    const onWire = toConnectError(sent);
    const trailer = encodeStatusDetails(onWire);
    const received = fromConnectError(decodeStatusDetails(onWire.code, onWire.rawMessage, trailer));
    expect(received).toMatchObject({
      kind,
      message: "what went wrong",
      violations: sent.violations,
      retryAfterMs: 1_250.5,
      metadata: sent.metadata,
    });
  });

  test("no two kinds share a code", () => {
    expect(new Set(KINDS.map((kind) => toConnectError(new KindredError(kind, "")).code)).size).toBe(
      KINDS.length,
    );
  });

  test("an error that nobody declared loses its message", () => {
    const onWire = toConnectError(new Error("password is hunter2"));
    expect([onWire.code, onWire.rawMessage]).toEqual([Code.Internal, "internal error"]);
    expect(encodeStatusDetails(onWire)).toBeUndefined();
  });

  test("a foreign code and a garbled trailer still give an error with its message", () => {
    expect(fromConnectError(new ConnectError("who are you", Code.Unauthenticated)).kind).toBe(
      "failed-precondition",
    );
    const garbled = decodeStatusDetails(Code.NotFound, "no such thing", Uint8Array.of(255, 255));
    expect(fromConnectError(garbled)).toMatchObject({ kind: "not-found", message: "no such thing" });
  });
});
