import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  BUILDING_NAME,
  decideIndexWork,
  graphBytes,
  INDEX_NAME,
  RETIRED_NAME,
  servesSearches,
  type VectorIndex,
} from "./vector-index.ts";

const hnsw = (name: string, change: Partial<VectorIndex> = {}): VectorIndex => ({
  name,
  oid: 1,
  method: "hnsw",
  quantization: "none",
  metric: "cosine",
  operatorClass: "vector_cosine_ops",
  valid: true,
  partial: false,
  sizeBytes: 1n,
  parameters: { m: "16", ef_construction: "200" },
  ...change,
});
const ANY = { m: undefined, efConstruction: undefined };

describe("decideIndexWork", () => {
  test("builds with the defaults where there is nothing", () => {
    expect(decideIndexWork([], ANY)).toEqual({
      leftovers: [],
      next: { kind: "build", parameters: { m: 16, efConstruction: 200 } },
    });
  });

  test("keeps what has the wanted parameters, and replaces what has others", () => {
    const own = hnsw(INDEX_NAME);
    for (const wanted of [ANY, { m: 16, efConstruction: undefined }, { m: 16, efConstruction: 200 }]) {
      expect(decideIndexWork([own], wanted)).toEqual({ leftovers: [], next: { kind: "keep", index: own } });
    }
    expect(decideIndexWork([own], { m: 32, efConstruction: undefined }).next).toEqual({
      kind: "build",
      parameters: { m: 32, efConstruction: 200 },
    });
  });

  test("removes what killed builds left behind", () => {
    const invalid = { valid: false };
    expect(decideIndexWork([hnsw(INDEX_NAME, invalid), hnsw(BUILDING_NAME, invalid)], ANY)).toMatchObject({
      leftovers: [BUILDING_NAME, INDEX_NAME],
      next: { kind: "build" },
    });
    expect(decideIndexWork([hnsw(INDEX_NAME), hnsw(BUILDING_NAME), hnsw(RETIRED_NAME)], ANY)).toMatchObject({
      leftovers: [RETIRED_NAME, BUILDING_NAME],
      next: { kind: "keep" },
    });
  });

  test("adopts a finished build that only lacks its name", () => {
    expect(decideIndexWork([hnsw(BUILDING_NAME)], ANY)).toEqual({ leftovers: [], next: { kind: "adopt" } });
    expect(decideIndexWork([hnsw(BUILDING_NAME)], { m: 8, efConstruction: undefined })).toMatchObject({
      leftovers: [BUILDING_NAME],
      next: { kind: "build" },
    });
  });

  test("leaves indexes of other names alone, and is content with one that does", () => {
    const theirs = hnsw("theirs", { parameters: { m: "16", ef_construction: "64" } });
    expect(decideIndexWork([theirs], ANY).next).toEqual({ kind: "keep", index: theirs });
    expect(decideIndexWork([theirs], { m: undefined, efConstruction: 200 })).toMatchObject({
      leftovers: [],
      next: { kind: "build" },
    });
    expect(decideIndexWork([hnsw("theirs", { valid: false })], ANY)).toMatchObject({
      leftovers: [],
      next: { kind: "build" },
    });
  });

  test("fills in parameters that pgvector accepts", () => {
    fc.assert(
      fc.property(
        fc.option(fc.integer({ min: 2, max: 100 }), { nil: undefined }),
        fc.option(fc.integer({ min: 4, max: 1000 }), { nil: undefined }),
        (m, efConstruction) => {
          fc.pre(m === undefined || efConstruction === undefined || efConstruction >= 2 * m);
          const { next } = decideIndexWork([], { m, efConstruction });
          if (next.kind !== "build") throw new Error("not a build");
          const { parameters } = next;
          expect(parameters.m).toBe(m ?? parameters.m);
          expect(parameters.efConstruction).toBe(efConstruction ?? parameters.efConstruction);
          expect(parameters.m).toBeGreaterThanOrEqual(2);
          expect(parameters.efConstruction).toBeGreaterThanOrEqual(2 * parameters.m);
          expect(parameters.efConstruction).toBeLessThanOrEqual(1000);
        },
      ),
    );
  });
});

test("only a whole, valid HNSW index by cosine serves searches", () => {
  expect(servesSearches(hnsw("a"))).toBe(true);
  const others: Partial<VectorIndex>[] = [
    { valid: false },
    { partial: true },
    { method: "ivfflat" },
    { operatorClass: "vector_l2_ops" },
  ];
  for (const change of others) {
    expect(servesSearches(hnsw("a", change))).toBe(false);
  }
});

test("a graph of 25,014 vectors of 384 takes some 60 MiB", () => {
  const mib = graphBytes(25_014, 384, 16) / 2 ** 20;
  expect(mib).toBeGreaterThan(50);
  expect(mib).toBeLessThan(75);
});
