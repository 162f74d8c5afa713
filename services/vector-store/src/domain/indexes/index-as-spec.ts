import type { VectorIndex } from "../vector-index.ts";
import type { IndexSpec } from "./index-spec.ts";

/** An index that is there, as one that should be. */
export function specOfIndex({ method, metric, quantization, parameters }: VectorIndex): IndexSpec {
  const number = (name: string): number => Number(parameters[name]);
  const known = (name: string): number | undefined => (number(name) > 0 ? number(name) : undefined);
  switch (method) {
    case "hnsw":
      return { method, m: number("m"), efConstruction: number("ef_construction"), quantization, metric };
    case "ivfflat":
      return { method, lists: number("lists"), quantization, metric };
    case "diskann":
      return {
        method,
        numNeighbors: known("num_neighbors"),
        searchListSize: known("search_list_size"),
        quantization,
        metric,
      };
  }
}
