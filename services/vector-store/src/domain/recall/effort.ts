import { KindredError } from "@kindred/errors";
import type { Collection, Metric } from "../collection.ts";
import type { IndexScan } from "../item-ports.ts";
import { MAX_EF_SEARCH, MAX_SCAN_TUPLES } from "../search/search-plan.ts";
import type { VectorIndex } from "../vector-index.ts";
import type { Effort } from "./recall.ts";

/** Below it HNSW and DiskANN find too little to be of use. */
const LEAST_LIST = 10;
/** Of DiskANN's query_search_list_size. */
const MAX_SEARCH_LIST = 1000;
/** Candidates of a binary quantised index that are compared again: as many whole vectors are read from the table. */
const MAX_RERANK = 10_000;

/** Steps of the grid: half as much effort again, about. */
export const FINE_STEP = Math.SQRT2;

/** The least and the most effort that makes sense for the k nearest. */
export function effortRange(index: VectorIndex, k: number): { least: Effort; most: Effort } {
  switch (index.method) {
    case "hnsw":
      return {
        least: Math.max(LEAST_LIST, k),
        most: index.quantization === "binary" ? MAX_RERANK : MAX_EF_SEARCH,
      };
    case "ivfflat":
      return { least: 1, most: Math.max(1, Number(index.parameters["lists"])) };
    case "diskann":
      return { least: Math.max(LEAST_LIST, k), most: MAX_SEARCH_LIST };
  }
}

/** Ascending whole numbers from the least to the most effort, each `step` times the one before; both ends are among them. */
export function effortGrid({ least, most }: { least: Effort; most: Effort }, step: number): Effort[] {
  const grid: Effort[] = [];
  for (let effort = least; effort < most; effort *= step) grid.push(Math.round(effort));
  return [...new Set([...grid, most])];
}

/** The scan of an index with so much effort, within what the index allows. */
export function scanAtEffort(index: VectorIndex, effort: Effort, k: number): IndexScan {
  const { least, most } = effortRange(index, k);
  const spent = Math.min(Math.max(effort, least), most);
  const shared = { indexName: index.name, quantization: index.quantization };
  const binary = index.quantization === "binary";
  switch (index.method) {
    case "hnsw":
      return {
        ...shared,
        method: "hnsw",
        rerank: binary ? spent : undefined,
        efSearch: Math.min(spent, MAX_EF_SEARCH),
        maxScanTuples: MAX_SCAN_TUPLES,
      };
    case "ivfflat":
      return {
        ...shared,
        method: "ivfflat",
        rerank: binary ? MAX_EF_SEARCH : undefined,
        probes: spent,
        maxProbes: most,
      };
    case "diskann":
      return { ...shared, method: "diskann", rerank: undefined, searchListSize: spent };
  }
}

/** By which metric an index is measured: signs of numbers stand in for whatever the collection compares by. */
export function measuredMetric(collection: Pick<Collection, "metric">, index: VectorIndex): Metric {
  return index.quantization === "binary" ? collection.metric : index.metric;
}

export function noIndex({ name }: Pick<Collection, "name">): KindredError {
  return new KindredError(
    "failed-precondition",
    `${JSON.stringify(name)} has no index that searches use: build one by StartIndexBuild first`,
  );
}
