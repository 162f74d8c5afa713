import { expect, test } from "@jest/globals";
import { Admission } from "./admission.ts";

test("takes so many calls at once, and refuses the next one at once with a time to come back", () => {
  const admission = new Admission({ maxConcurrent: 2 });
  const [first] = [admission.enter(), admission.enter()];
  let refusal: unknown;
  try {
    admission.enter();
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toMatchObject({
    kind: "resource-exhausted",
    message: "2 calls are in progress, which is the most that are taken at once",
    retryAfterMs: expect.any(Number),
  });
  first?.[Symbol.dispose]();
  admission.enter();
  expect(admission.inProgress).toBe(2);
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
    const held = admission.enter();
    try {
      admission.enter();
    } catch (error) {
      return (error as { retryAfterMs: number }).retryAfterMs;
    } finally {
      held[Symbol.dispose]();
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
