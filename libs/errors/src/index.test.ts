import { describe, expect, test } from "@jest/globals";
import { invalidField, invalidFields, isKindredError, KindredError, messageOf } from "./index.ts";

describe("KindredError", () => {
  test("lists every bad field in its message and keeps them for the details", () => {
    const error = invalidFields([
      { field: "k", description: "must be 1 to 1000, is 0" },
      { field: "query", description: "is required" },
    ]);
    expect(error.kind).toBe("invalid-argument");
    expect(error.message).toBe("k must be 1 to 1000, is 0; query is required");
    expect(error.violations.map((v) => v.field)).toEqual(["k", "query"]);
  });

  test("keeps its cause, retry delay and metadata", () => {
    const cause = new Error("ECONNREFUSED");
    const error = new KindredError("unavailable", "the embedding service is away", {
      cause,
      retryAfterMs: 250,
      metadata: { batches_stored: "3" },
    });
    expect(error.cause).toBe(cause);
    expect(error.retryAfterMs).toBe(250);
    expect(error.metadata).toEqual({ batches_stored: "3" });
  });

  test("is recognised by shape, also from a second copy of the module", () => {
    const twin = Object.assign(new Error("x"), { name: "KindredError", kind: "not-found", violations: [] });
    expect(isKindredError(twin)).toBe(true);
    expect(isKindredError(invalidField("k", "is bad"))).toBe(true);
    expect(isKindredError(new Error("x"))).toBe(false);
    expect(isKindredError({ name: "KindredError", kind: "internal", violations: [] })).toBe(false);
  });
});

test("messageOf gives the text of anything thrown", () => {
  expect(messageOf(new TypeError("boom"))).toBe("boom");
  expect(messageOf("plain")).toBe("plain");
  expect(messageOf(undefined)).toBe("undefined");
});
