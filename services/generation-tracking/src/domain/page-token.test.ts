import { describe, expect, test } from "@jest/globals";
import { isKindredError } from "@kindred/errors";
import * as fc from "fast-check";
import type { GenerationFilter, ListPosition } from "./generation.ts";
import { decodePageToken, encodePageToken } from "./page-token.ts";

const NO_FILTER: GenerationFilter = {
  status: undefined,
  promptContains: undefined,
  createdAfterMicros: undefined,
  createdBeforeMicros: undefined,
};

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const positions: fc.Arbitrary<ListPosition> = fc.record({ createdAtMicros: int64, id: int64 });
const filters: fc.Arbitrary<GenerationFilter> = fc.record({
  status: fc.constantFrom(undefined, "completed", "failed", "cancelled"),
  promptContains: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
  createdAfterMicros: fc.option(int64, { nil: undefined }),
  createdBeforeMicros: fc.option(int64, { nil: undefined }),
});

const refusal = (filter: GenerationFilter, token: string): string | undefined => {
  try {
    decodePageToken(filter, token);
    return undefined;
  } catch (error) {
    if (!isKindredError(error)) throw error;
    expect(error.kind).toBe("invalid-argument");
    return error.violations[0]?.field;
  }
};

describe("a page token", () => {
  test("gives back its position, for the same filter", () => {
    fc.assert(
      fc.property(filters, positions, (filter, position) => {
        expect(decodePageToken({ ...filter }, encodePageToken(filter, position))).toEqual(position);
      }),
    );
  });

  test("is refused for any other filter", () => {
    fc.assert(
      fc.property(filters, filters, positions, (filter, other, position) => {
        fc.pre(Object.entries(filter).some(([key, value]) => other[key as keyof GenerationFilter] !== value));
        expect(refusal(other, encodePageToken(filter, position))).toBe("page_token");
      }),
    );
  });

  test("is refused when any of its bits is another", () => {
    const token = encodePageToken(NO_FILTER, { createdAtMicros: 1_700_000_000_000_001n, id: 42n });
    const bytes = Buffer.from(token, "base64url");
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(refusal(NO_FILTER, changed.toString("base64url"))).toBe("page_token");
    }
  });

  test("is refused when it is garbage, cut off, extended or written in another way", () => {
    const token = encodePageToken(NO_FILTER, { createdAtMicros: 1n, id: 2n });
    for (const bad of [
      "!",
      "x",
      "page two",
      token.slice(0, -1),
      `${token}A`,
      ` ${token}`,
      `${token}=`,
      token.repeat(2),
    ]) {
      expect(refusal(NO_FILTER, bad)).toBe("page_token");
    }
    fc.assert(fc.property(fc.string({ minLength: 1 }), (bad) => refusal(NO_FILTER, bad) === "page_token"));
  });

  test("is empty on the first page", () => {
    expect(decodePageToken(NO_FILTER, "")).toBeUndefined();
  });
});
