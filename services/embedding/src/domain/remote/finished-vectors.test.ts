import { expect, test } from "@jest/globals";
import { FakeClock } from "./clock-fixture.ts";
import { FinishedVectors } from "./finished-vectors.ts";

const vector = (value: number) => Float32Array.of(value, value);

test("keeps copies until they are forgotten", () => {
  const store = new FinishedVectors({ clock: new FakeClock() });
  const all = Float32Array.of(1, 2, 3, 4);
  store.keep("a", all.subarray(2));
  all.fill(0);
  expect(store.get("a")).toEqual(Float32Array.of(3, 4));
  expect(store.get("a")?.buffer.byteLength).toBe(8);
  expect(store.get("b")).toBeUndefined();
  store.forget("a");
  store.forget("a");
  expect(store.get("a")).toBeUndefined();
});

test("lets go of what is old, counted from when it was put in last", async () => {
  const clock = new FakeClock();
  const store = new FinishedVectors({ clock, maxAgeMs: 100 });
  store.keep("a", vector(1));
  store.keep("b", vector(2));
  await clock.advance(60);
  store.keep("a", vector(3));
  await clock.advance(60);
  expect(store.get("a")).toEqual(vector(3));
  expect(store.get("b")).toBeUndefined();
  await clock.advance(40);
  expect(store.get("a")).toBeUndefined();
  expect(store.size).toBe(0);
});

test("holds so many bytes and no more; the oldest go first", () => {
  const store = new FinishedVectors({ clock: new FakeClock(), maxBytes: 24 });
  for (const [i, text] of ["a", "b", "c", "a", "d"].entries()) store.keep(text, vector(i));
  expect(["a", "b", "c", "d"].map((text) => store.get(text)?.[0])).toEqual([3, undefined, 2, 4]);
  store.keep("large", new Float32Array(100));
  expect(store.size).toBe(0);
});
