import { expect, test } from "@jest/globals";
import { isKindredError } from "@kindred/errors";
import * as fc from "fast-check";
import type { SessionFilter, SessionPosition } from "./session.ts";
import { decodeSessionToken, encodeSessionToken } from "./session-token.ts";

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const positions: fc.Arbitrary<SessionPosition> = fc.record({ startMicros: int64, rowId: int64 });
const filters: fc.Arbitrary<SessionFilter> = fc.record({
  userId: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
  active: fc.option(fc.boolean(), { nil: undefined }),
  startedAfterMicros: fc.option(int64, { nil: undefined }),
  startedBeforeMicros: fc.option(int64, { nil: undefined }),
});

const ANY: SessionFilter = {
  userId: undefined,
  active: undefined,
  startedAfterMicros: undefined,
  startedBeforeMicros: undefined,
};

function isRefused(filter: SessionFilter, token: string): boolean {
  try {
    decodeSessionToken(filter, token);
    return false;
  } catch (error) {
    if (!isKindredError(error)) throw error;
    return error.kind === "invalid-argument" && error.violations[0]?.field === "page_token";
  }
}

test("gives back its position, for the same conditions", () => {
  fc.assert(
    fc.property(filters, positions, (filter, position) => {
      expect(decodeSessionToken({ ...filter }, encodeSessionToken(filter, position))).toEqual(position);
    }),
  );
  expect(decodeSessionToken(ANY, "")).toBeUndefined();
});

test("is refused for any other conditions", () => {
  fc.assert(
    fc.property(filters, filters, positions, (filter, other, position) => {
      fc.pre(Object.entries(filter).some(([key, value]) => other[key as keyof SessionFilter] !== value));
      expect(isRefused(other, encodeSessionToken(filter, position))).toBe(true);
    }),
  );
});

test("is refused when any of its bits is another, and when it is cut off, extended or garbage", () => {
  const token = encodeSessionToken(ANY, { startMicros: 1_700_000_000_000_001n, rowId: 42n });
  const bytes = Buffer.from(token, "base64url");
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const changed = Buffer.from(bytes);
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
    expect(isRefused(ANY, changed.toString("base64url"))).toBe(true);
  }
  for (const bad of ["!", "x", token.slice(0, -1), `${token}A`, ` ${token}`, `${token}=`, token.repeat(2)])
    expect(isRefused(ANY, bad)).toBe(true);
});
