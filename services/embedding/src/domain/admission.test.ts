import { expect, test } from "@jest/globals";
import { Admission } from "./admission.ts";

test("takes so many calls at once, and refuses the next one at once with a time to come back", async () => {
  const admission = new Admission({ maxConcurrent: 2 });
  const ends = [Promise.withResolvers<string>(), Promise.withResolvers<string>()] as const;
  const calls = ends.map(({ promise }) => admission.admit(() => promise));
  await expect(admission.admit(async () => "third")).rejects.toMatchObject({
    kind: "resource-exhausted",
    message: "2 calls are in progress, which is the most that are taken at once",
    retryAfterMs: expect.any(Number),
  });
  ends[0].resolve("first");
  await expect(calls[0]).resolves.toBe("first");
  await expect(admission.admit(async () => "third")).resolves.toBe("third");
  ends[1].reject(new Error("failed"));
  await expect(calls[1]).rejects.toThrow("failed");
  expect(admission.inProgress).toBe(0);
});

test("a place is given back once", () => {
  const admission = new Admission({ maxConcurrent: 2 });
  const place = admission.enter();
  admission.enter();
  place[Symbol.dispose]();
  place[Symbol.dispose]();
  expect(admission.inProgress).toBe(1);
});

test("the time to come back follows how long calls take", () => {
  let clock = 0;
  const admission = new Admission({ maxConcurrent: 1, now: () => clock });
  const refusal = () => {
    using _held = admission.enter();
    try {
      admission.enter();
    } catch (error) {
      return (error as { retryAfterMs: number }).retryAfterMs;
    }
    throw new Error("it was taken");
  };
  const before = refusal();
  for (let i = 0; i < 50; i++) {
    const place = admission.enter();
    clock += 10_000;
    place[Symbol.dispose]();
  }
  expect(refusal()).toBeGreaterThan(10 * before);
});
