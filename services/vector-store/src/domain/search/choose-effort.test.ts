import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { effortRange } from "../recall/effort.ts";
import type { RecallCurve } from "../recall/recall.ts";
import type { VectorIndex } from "../vector-index.ts";
import { chooseEffort, curveFor, expectedRecall } from "./choose-effort.ts";

const hnsw: VectorIndex = {
  name: "h",
  oid: 1,
  method: "hnsw",
  quantization: "none",
  metric: "cosine",
  operatorClass: "vector_cosine_ops",
  valid: true,
  partial: false,
  sizeBytes: 1n,
  parameters: { m: "16", ef_construction: "200" },
};
const INDEXES: VectorIndex[] = [
  hnsw,
  { ...hnsw, quantization: "binary", operatorClass: "bit_hamming_ops" },
  { ...hnsw, method: "ivfflat", parameters: { lists: "500" } },
  { ...hnsw, method: "diskann", parameters: {} },
];

/** @param points effort, recall, and the lower end of its interval */
function curve(k: number, selectivity: number, ...points: [number, number, number][]): RecallCurve {
  return {
    k,
    selectivity,
    points: points.map(([effort, recall, lower]) => ({ effort, recall, lower, ms: effort / 100 })),
    queries: 400,
    exactMs: 1000,
    recentQueries: 0,
    rows: 25_000,
    tunedAt: new Date(0),
  };
}

const at10 = curve(10, 1, [50, 0.85, 0.84], [100, 0.92, 0.91], [200, 0.96, 0.952], [400, 0.98, 0.975]);
const at100 = curve(100, 1, [100, 0.8, 0.79], [300, 0.96, 0.955]);
const filtered = curve(10, 0.05, [50, 0.6, 0.58], [400, 0.97, 0.96]);
const wish = { target: 0.95, k: 10, selectivity: 1 };

describe("chooseEffort", () => {
  test("the cheapest point whose lower end meets the target", () => {
    expect(chooseEffort(hnsw, [at10], wish)).toEqual({
      effort: 200,
      expectedRecall: 0.96,
      curve: at10,
      ms: 2,
      met: true,
    });
    // 0.96 on average may be less than that.
    expect(chooseEffort(hnsw, [at10], { ...wish, target: 0.955 })).toMatchObject({ effort: 400, met: true });
    expect(chooseEffort(hnsw, [at10], { ...wish, target: 0.5 })).toMatchObject({ effort: 50, met: true });
  });

  test("the cheapest of those that find most where none meets it", () => {
    const flat = curve(10, 1, [50, 0.8, 0.75], [100, 0.9, 0.85], [200, 0.9, 0.85], [400, 0.9, 0.85]);
    expect(chooseEffort(hnsw, [flat], wish)).toMatchObject({ effort: 100, expectedRecall: 0.9, met: false });
    expect(chooseEffort(hnsw, [at10], { ...wish, target: 0.99 })).toMatchObject({
      effort: 400,
      expectedRecall: 0.98,
      met: false,
    });
  });

  test("efforts of the next larger k, and beyond the largest so many times as much", () => {
    const curves = [at10, at100];
    expect(chooseEffort(hnsw, curves, { ...wish, k: 11 })).toMatchObject({ effort: 300, curve: at100 });
    expect(chooseEffort(hnsw, curves, { ...wish, k: 200 })).toMatchObject({ effort: 600, curve: at100 });
    expect(chooseEffort(hnsw, curves, { ...wish, k: 900 })).toMatchObject({ effort: 1000 });
  });

  test("a scan that has to give k rows finds more than the curve's point", () => {
    const few = chooseEffort(hnsw, [curve(100, 1, [20, 0.8, 0.7], [100, 0.9, 0.9])], {
      ...wish,
      target: 0.5,
      k: 60,
    });
    expect(few.effort).toBe(60);
    expect(few.expectedRecall).toBeGreaterThan(0.8);
    expect(few.expectedRecall).toBeLessThan(0.9);
  });

  test("the curve of a filter that passes as few or fewer", () => {
    const curves = [at10, filtered, curve(10, 0.005, [900, 0.99, 0.99])];
    expect(curveFor(curves, { k: 10, selectivity: 1 })).toBe(at10);
    expect(curveFor(curves, { k: 10, selectivity: 0.5 })).toBe(filtered);
    expect(curveFor(curves, { k: 10, selectivity: 0.05 })).toBe(filtered);
    expect(curveFor(curves, { k: 10, selectivity: 0.001 })?.selectivity).toBe(0.005);
    expect(curveFor([], wish)).toBeUndefined();
    expect(curveFor([curve(10, 1)], wish)).toBeUndefined();
  });

  test("what finds about 0.95 of captions, where nobody tuned", () => {
    const efforts = INDEXES.map((index) => chooseEffort(index, [], wish).effort);
    expect(efforts).toEqual([200, 1000, 112, 300]);
    expect(chooseEffort(hnsw, [], { ...wish, target: 0.9 }).effort).toBeLessThan(100);
    expect(chooseEffort(hnsw, [], { ...wish, target: 1 }).effort).toBe(1000);
    expect(chooseEffort(hnsw, [], wish)).toMatchObject({ expectedRecall: undefined, met: false });
  });

  const share = fc.double({ min: 0.0001, max: 1, noNaN: true });
  const target = fc.double({ min: 0.01, max: 1, noNaN: true });
  const anyCurve = fc
    .record({
      k: fc.constantFrom(1, 10, 100),
      selectivity: fc.constantFrom(1, 0.5, 0.05, 0.005),
      points: fc.array(
        fc.record({ effort: fc.integer({ min: 1, max: 20_000 }), recall: share, below: share }),
        { maxLength: 8 },
      ),
    })
    .map(({ k, selectivity, points }) => {
      const recalls = points.map(({ recall }) => recall).toSorted((a, b) => a - b);
      const ascending = points.toSorted((a, b) => a.effort - b.effort);
      return curve(
        k,
        selectivity,
        ...ascending.map(({ effort, below }, i): [number, number, number] => [
          effort,
          recalls[i] as number,
          (recalls[i] as number) * below,
        ]),
      );
    });
  const asked = fc.record({ k: fc.integer({ min: 1, max: 10_000 }), selectivity: share });

  test("a higher target never gives less effort, and none is out of the index's range", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...INDEXES),
        fc.array(anyCurve, { maxLength: 5 }),
        asked,
        target,
        target,
        (index, curves, rest, a, b) => {
          const [low, high] = [a, b].toSorted((x, y) => x - y) as [number, number];
          const less = chooseEffort(index, curves, { ...rest, target: low });
          const more = chooseEffort(index, curves, { ...rest, target: high });
          expect(more.effort).toBeGreaterThanOrEqual(less.effort);
          const { least, most } = effortRange(index, rest.k);
          for (const { effort, expectedRecall: expected } of [less, more]) {
            expect(Number.isInteger(effort)).toBe(true);
            expect(effort).toBeGreaterThanOrEqual(Math.min(least, most));
            expect(effort).toBeLessThanOrEqual(most);
            expect(expected ?? 0).toBeLessThanOrEqual(1);
          }
        },
      ),
    );
  });

  test("without measurements a filter never gives less effort either", () => {
    fc.assert(
      fc.property(fc.constantFrom(...INDEXES), asked, target, (index, { k, selectivity }, wanted) => {
        const filter = chooseEffort(index, [], { target: wanted, k, selectivity });
        const none = chooseEffort(index, [], { target: wanted, k, selectivity: 1 });
        expect(filter.effort).toBeGreaterThanOrEqual(none.effort);
      }),
    );
  });
});

test("what a named effort lets expect is between its neighbours", () => {
  const of = (effort: number, k = 10) => expectedRecall([at10, at100], effort, { k, selectivity: 1 });
  expect(of(200)).toBe(0.96);
  expect(of(Math.sqrt(200 * 400))).toBeCloseTo(0.97, 10);
  expect(of(1)).toBe(0.85);
  expect(of(999)).toBe(0.98);
  expect(of(600, 200)).toBe(0.96);
  expect(expectedRecall([], 100, { k: 10, selectivity: 1 })).toBeUndefined();
});
