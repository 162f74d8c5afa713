import { describe, expect, test } from "@jest/globals";
import type { Collection } from "../collection.ts";
import { packFloats, unpackFloats, type PackedVector } from "../packed-vector.ts";
import type { QuerySamples } from "./recall-ports.ts";
import { jitter, sampleQueries } from "./sample-queries.ts";

const collection = { name: "songs", elementType: "vector", dimensions: 8 } as Collection;
const vector = (length: number): PackedVector =>
  packFloats(Float32Array.from({ length: 8 }, () => length / Math.sqrt(8)));
const lengthOf = (packed: PackedVector): number => Math.hypot(...unpackFloats(packed));

/** So many of each. */
function samplesOf(recent: number, stored: number): QuerySamples {
  return {
    recent: async (_, count) => Array.from({ length: Math.min(count, recent) }, () => vector(1)),
    stored: async (_, count) => Array.from({ length: Math.min(count, stored) }, () => vector(2)),
  };
}

const sample = async (
  origin: "auto" | "recent" | "stored" | "mixed",
  there: QuerySamples,
): Promise<[recent: number, stored: number]> => {
  const queries = await sampleQueries(there, collection, { count: 20, origin }, {});
  const recent = queries.filter((query) => query.recent).length;
  return [recent, queries.length - recent];
};

describe("queries are", () => {
  test.each([
    ["recent ones as far as there are any", "auto", 5, [5, 15]],
    ["recent ones where there are enough", "auto", 50, [20, 0]],
    ["only recent ones", "recent", 5, [5, 0]],
    ["only stored ones", "stored", 50, [0, 20]],
    ["half of each", "mixed", 50, [10, 10]],
    ["more stored ones where others are missing", "mixed", 3, [3, 17]],
  ] as const)("%s", async (_, origin, recent, expected) => {
    expect(await sample(origin, samplesOf(recent, 100))).toEqual(expected);
  });

  test("missing where nobody has asked, and where nothing is stored", async () => {
    await expect(sample("recent", samplesOf(0, 100))).rejects.toThrow("nobody has searched");
    await expect(sample("auto", samplesOf(0, 0))).rejects.toThrow("holds no vectors");
  });
});

describe("a stored vector", () => {
  test.each([1, 250])("of length %d is moved and keeps its length", (length) => {
    for (let i = 0; i < 50; i++) {
      const moved = jitter(collection, vector(length), Math.random);
      expect(lengthOf(moved)).toBeCloseTo(length, 3);
      expect(moved).not.toEqual(vector(length));
    }
  });

  test("without a direction stays where it is", () => {
    expect(jitter(collection, vector(0), Math.random)).toEqual(vector(0));
  });

  test("of bits has a quarter to a half of them flipped, and none that is not used", () => {
    const bits = { elementType: "bit", dimensions: 1001 } as const;
    const stored = new Uint8Array(126);
    for (let i = 0; i < 50; i++) {
      const moved = jitter(bits, stored, Math.random);
      const ones = moved.reduce((sum, byte) => sum + byte.toString(2).replaceAll("0", "").length, 0);
      // Six standard deviations of 16 bits around.
      expect(ones).toBeGreaterThan(250 - 96);
      expect(ones).toBeLessThan(500 + 96);
      expect((moved.at(-1) as number) & 0x7f).toBe(0);
    }
    expect(stored.every((byte) => byte === 0)).toBe(true);
  });
});
