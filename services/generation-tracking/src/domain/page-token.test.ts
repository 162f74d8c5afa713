import { describe, expect, test } from "@jest/globals";
import { isKindredError } from "@kindred/errors";
import * as fc from "fast-check";
import { NEWEST_FIRST, type GenerationFilter, type ListPosition } from "./generation-filter.ts";
import { decodePageToken, encodePageToken, type ListedGenerations } from "./page-token.ts";

const EVERYTHING: ListedGenerations = { filters: [], order: NEWEST_FIRST };

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const positions: fc.Arbitrary<ListPosition> = fc.record({
  value: fc.oneof(int64, fc.double({ noNaN: true }), fc.constant(undefined)),
  id: int64,
});
const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });
const filters: fc.Arbitrary<GenerationFilter> = fc.record({
  status: optional(fc.uniqueArray(fc.constantFrom("completed", "failed", "cancelled"), { minLength: 1 })),
  promptContains: optional(fc.string({ minLength: 1 })),
  createdAfterMicros: optional(int64),
  rating: optional(fc.record({ min: optional(fc.integer()), max: optional(fc.integer()) })),
  modelConfig: optional(
    fc.array(fc.record({ path: fc.array(fc.string()), equals: optional(fc.jsonValue()) }), { minLength: 1 }),
  ) as fc.Arbitrary<GenerationFilter["modelConfig"]>,
});
const lists: fc.Arbitrary<ListedGenerations> = fc.record({
  filters: fc.array(filters, { maxLength: 2 }),
  order: fc.record({
    key: fc.constantFrom("created_at", "generation_time_ms", "memory_usage_mb", "rating"),
    ascending: fc.boolean(),
  }),
});

const refusal = (list: ListedGenerations, token: string): string | undefined => {
  try {
    decodePageToken(list, token);
    return undefined;
  } catch (error) {
    if (!isKindredError(error)) throw error;
    expect(error.kind).toBe("invalid-argument");
    return error.violations[0]?.field;
  }
};

/** As JSON and without what is not set, which makes no difference. */
const comparable = (list: ListedGenerations): string =>
  JSON.stringify(list, (_key, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));

describe("a page token", () => {
  test("gives back its position, for the same list", () => {
    fc.assert(
      fc.property(lists, positions, (list, position) => {
        expect(decodePageToken(structuredClone(list), encodePageToken(list, position))).toEqual(position);
      }),
    );
  });

  test("is refused for any other filter or order", () => {
    fc.assert(
      fc.property(lists, lists, positions, (list, other, position) => {
        fc.pre(comparable(list) !== comparable(other));
        expect(refusal(other, encodePageToken(list, position))).toBe("page_token");
      }),
    );
  });

  test("does not mind conditions that are not set, and the order in which they stand", () => {
    const token = encodePageToken(
      { filters: [{ seed: 1n, status: undefined, labels: [] }], order: NEWEST_FIRST },
      { value: 5, id: 6n },
    );
    const same = {
      filters: [{ modelName: [], seed: 1n }],
      order: { ascending: false, key: "created_at" },
    } as const;
    expect(decodePageToken(same, token)).toEqual({ value: 5, id: 6n });
  });

  test("is refused when any of its bits is another", () => {
    const token = encodePageToken(EVERYTHING, { value: 1_700_000_000_000_001n, id: 42n });
    const bytes = Buffer.from(token, "base64url");
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(refusal(EVERYTHING, changed.toString("base64url"))).toBe("page_token");
    }
  });

  test("is refused when it is garbage, cut off, extended or written in another way", () => {
    const token = encodePageToken(EVERYTHING, { value: 1n, id: 2n });
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
      expect(refusal(EVERYTHING, bad)).toBe("page_token");
    }
    fc.assert(fc.property(fc.string({ minLength: 1 }), (bad) => refusal(EVERYTHING, bad) === "page_token"));
  });

  test("is empty on the first page", () => {
    expect(decodePageToken(EVERYTHING, "")).toBeUndefined();
  });
});
