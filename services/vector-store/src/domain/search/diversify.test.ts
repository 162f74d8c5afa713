import { expect, test } from "@jest/globals";
import type { Metric } from "../collection.ts";
import { diversify } from "./diversify.ts";
import type { RankedHit } from "./find-nearest.ts";

function hit(key: string, similarity: number, vector: Uint8Array): RankedHit {
  return {
    key,
    similarity,
    distance: 1 - similarity,
    vector,
    group: undefined,
    image: undefined,
    metadata: undefined,
    document: undefined,
  };
}

const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
/** Two that are nearly the same, and one of another direction. */
const hits = [
  hit("a", 0.9, floats(1, 0)),
  hit("twin", 0.89, floats(1, 0.01)),
  hit("other", 0.5, floats(0, 1)),
];
const keysOf = async (lambda: number, count = 3): Promise<string[]> => {
  const taken = await diversify(hits, { lambda, count, metric: "cosine", dimensions: 2 });
  return taken.map(({ key }) => key);
};

test("the nearest comes first, and then what is unlike it", async () => {
  expect(await keysOf(0.5)).toEqual(["a", "other", "twin"]);
  expect(await keysOf(0.5, 2)).toEqual(["a", "other"]);
});

test("lambda 1 is the order of similarity", async () => {
  expect(await keysOf(1)).toEqual(["a", "twin", "other"]);
});

test("there are no more than there were", async () => {
  expect(await keysOf(0.3, 10)).toHaveLength(3);
});

test.each<[Metric, Uint8Array[]]>([
  ["l2", [floats(1, 0), floats(1, 0.01), floats(0, 9)]],
  ["l1", [floats(1, 0), floats(1, 0.01), floats(0, 9)]],
  ["inner-product", [floats(1, 0), floats(1, 0.01), floats(0, 1)]],
  ["hamming", [Uint8Array.of(0b1111_0000), Uint8Array.of(0b1111_0001), Uint8Array.of(0b0000_1111)]],
  ["jaccard", [Uint8Array.of(0b1111_0000), Uint8Array.of(0b1111_0001), Uint8Array.of(0b0000_1111)]],
])("by %s", async (metric, vectors) => {
  const named = ["a", "twin", "other"].map((key, i) => hit(key, 0.9 - i / 100, vectors[i] as Uint8Array));
  const dimensions = metric === "hamming" ? 8 : 2;
  const taken = await diversify(named, { lambda: 0.5, count: 3, metric, dimensions });
  expect(taken.map(({ key }) => key)).toEqual(["a", "other", "twin"]);
});

test("many are compared without keeping others waiting, until nobody waits any more", async () => {
  const vector = new Uint8Array(4 * 256).fill(1);
  const many = Array.from({ length: 2000 }, (_, i) => hit(String(i), 1 - i / 2000, vector));
  const options = { lambda: 0.5, count: 2000, metric: "l2" as const, dimensions: 256 };
  const controller = new AbortController();
  setImmediate(() => controller.abort(new Error("the caller is gone")));
  await expect(diversify(many, options, controller.signal)).rejects.toThrow("the caller is gone");
});
