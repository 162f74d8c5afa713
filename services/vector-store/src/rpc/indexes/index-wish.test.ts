import { describe, expect, test } from "@jest/globals";
import { IndexKind, IndexQuantization, Metric } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import { ANY_INDEX } from "../../domain/indexes/index-spec.ts";
import { readIndexWish } from "./index-wish.ts";

function read(message: Parameters<typeof readIndexWish>[0]) {
  const checks = startChecks();
  return { wish: readIndexWish(message, "spec", checks), bad: checks.violations.map(({ field }) => field) };
}

describe("a wish for an index", () => {
  test.each([
    ["nothing", undefined, ANY_INDEX],
    ["a kind", { kind: IndexKind.IVFFLAT }, { ...ANY_INDEX, method: "ivfflat" }],
    ["a number, which names its method", { lists: 100 }, { ...ANY_INDEX, method: "ivfflat", lists: 100 }],
    [
      "all of it",
      {
        kind: IndexKind.HNSW,
        quantization: IndexQuantization.HALFVEC,
        metric: Metric.L2,
        m: 24,
        efConstruction: 300,
      },
      { ...ANY_INDEX, method: "hnsw", quantization: "halfvec", metric: "l2", m: 24, efConstruction: 300 },
    ],
    [
      "DiskANN",
      { kind: IndexKind.DISKANN, numNeighbors: 50, searchListSize: 100 },
      { ...ANY_INDEX, method: "diskann", numNeighbors: 50, searchListSize: 100 },
    ],
  ])("can be %s", (_name, message, wish) => {
    expect(read(message)).toEqual({ wish, bad: [] });
  });

  test.each([
    ["spec.kind", { kind: IndexKind.NONE }],
    ["spec.kind", { kind: 99 as IndexKind }],
    ["spec.quantization", { quantization: 99 as IndexQuantization }],
    ["spec.metric", { metric: 99 as Metric }],
    ["spec.m", { m: 1 }],
    ["spec.m", { m: -4 }],
    ["spec.ef_construction", { m: 16, efConstruction: 31 }],
    ["spec.ef_construction", { efConstruction: 1001 }],
    ["spec.lists", { lists: 32_769 }],
    ["spec.num_neighbors", { numNeighbors: 9 }],
    ["spec.search_list_size", { searchListSize: 1001 }],
    ["spec.lists", { kind: IndexKind.HNSW, lists: 10 }],
    ["spec.lists", { m: 16, lists: 10 }],
    ["spec.search_list_size", { kind: IndexKind.IVFFLAT, searchListSize: 100 }],
  ])("names a bad %s: %j", (field, message) => {
    expect(read(message).bad).toEqual([field]);
  });
});
