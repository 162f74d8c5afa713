import { expect, test } from "@jest/globals";
import { PrimaryPositions } from "./primary-positions.ts";

const OURS = "1/kindred";
const positions = (...noted: [at: number, bytes: bigint][]): PrimaryPositions => {
  const made = new PrimaryPositions();
  for (const [at, bytes] of noted) made.note(at, { bytes, identity: OURS });
  return made;
};
const reached = (of: PrimaryPositions, bytes: bigint) => of.reachedBy({ bytes, identity: OURS });

test("what was replayed has the commits of the last time at which the primary was not further", () => {
  const noted = positions([10, 100n], [20, 200n], [30, 300n]);
  expect(reached(noted, 99n)).toBeUndefined();
  expect(reached(noted, 100n)).toBe(10);
  expect(reached(noted, 299n)).toBe(20);
  expect(reached(noted, 300n)).toBe(30);
  expect(reached(noted, 999n)).toBe(30);
});

test("while the primary writes nothing, nothing gets stale", () => {
  expect(reached(positions([10, 100n], [20, 100n], [5000, 100n]), 100n)).toBe(5000);
});

test("what was noted of a primary that begins another history says nothing any more", () => {
  const noted = positions([10, 500n], [20, 400n]);
  expect(reached(noted, 450n)).toBe(20);
  expect(reached(noted, 399n)).toBeUndefined();
});

test("the log of another database is refused, and one that is too long is cut", () => {
  const noted = positions([10, 100n]);
  expect(() => noted.reachedBy({ bytes: 100n, identity: "2/kindred" })).toThrow(
    "it is no replica of this database",
  );
  expect(reached(new PrimaryPositions(), 1n)).toBeUndefined();
  for (let i = 0; i < 10_000; i++) noted.note(i, { bytes: 1000n + BigInt(i), identity: OURS });
  expect(reached(noted, 1000n)).toBeUndefined();
  expect(reached(noted, 20_000n)).toBe(9999);
});
