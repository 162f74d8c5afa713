import { describe, expect, test } from "@jest/globals";
import { invalidFields, KindredError } from "@kindred/errors";
import { badFieldsOf, errorOf, problemsOf, untouchable, violationsOf } from "./index.ts";

describe("what a call fails with", () => {
  const violations = [
    { field: "k", description: "must be 1 to 9, is 0" },
    { field: "name", description: "must not be empty" },
  ];

  test("is told by field", async () => {
    const refused = () => Promise.reject(invalidFields(violations));
    expect(await violationsOf(refused())).toEqual(violations);
    expect(await problemsOf(refused())).toEqual(["k must be 1 to 9, is 0", "name must not be empty"]);
    expect(await badFieldsOf(refused())).toEqual(["k", "name"]);
    expect(await errorOf(refused())).toMatchObject({ kind: "invalid-argument" });
  });

  test("is a KindredError of that kind, or the test fails", async () => {
    await expect(errorOf(Promise.resolve(1))).rejects.toThrow("no KindredError");
    await expect(errorOf(Promise.reject(new Error("x")))).rejects.toThrow("no KindredError");
    await expect(violationsOf(Promise.reject(new KindredError("not-found", "x")))).rejects.toThrow(
      "it is not-found",
    );
  });
});

test("what is untouchable has what it was given, and throws for the rest", () => {
  const store = untouchable<{ get(): number; put(): void }>("the store", { get: () => 1 });
  expect(store.get()).toBe(1);
  expect(() => store.put()).toThrow("asked, which it should not be: the store, for put");
});
