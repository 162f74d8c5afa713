import { expect, test } from "@jest/globals";
import { pairsOf } from "./describe-operation.ts";

test("names tell the units, objects are flattened, and lists of objects are left to programs", () => {
  expect(
    pairsOf({
      size_bytes: 2_048,
      build_ms: 1_500,
      recall: 0.961249,
      filter_selectivity: 0.01,
      rows: 5_000,
      kept: true,
      index_name: "songs_hnsw",
      reached: { effort: 14, ms: 1.12, lower: 0.94 },
      efforts: [10, 20],
      curves: [{ k: 10 }],
      nothing: null,
      empty: "",
    }),
  ).toEqual([
    ["size", "2.0 KiB"],
    ["build time", "1.5 s"],
    ["recall", "0.9612"],
    ["filter selectivity", "1 %"],
    ["rows", "5,000"],
    ["kept", "yes"],
    ["index name", "songs_hnsw"],
    ["reached", "effort 14, time 1.1 ms, lower 0.94"],
    ["efforts", "10, 20"],
  ]);
});
