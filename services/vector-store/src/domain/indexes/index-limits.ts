import type { FieldViolation } from "@kindred/errors";
import { metricsOf, type Collection, type ElementType, type Metric } from "../collection.ts";
import type { ServerFacts } from "./index-facts.ts";
import {
  indexedType,
  MAX_DISKANN_DIMENSIONS,
  MAX_INDEXED_DIMENSIONS,
  type IndexMethod,
  type Quantization,
} from "./index-spec.ts";

export const METHODS: readonly IndexMethod[] = ["hnsw", "ivfflat", "diskann"];
export const ALL_QUANTIZATIONS: readonly Quantization[] = ["none", "halfvec", "binary"];

/** Distances that there are operator classes for (pgvector's and vectorscale's SQL). */
const METRICS: Record<IndexMethod, Record<ElementType, readonly Metric[]>> = {
  hnsw: {
    vector: ["cosine", "l2", "inner-product", "l1"],
    halfvec: ["cosine", "l2", "inner-product", "l1"],
    bit: ["hamming", "jaccard"],
  },
  ivfflat: {
    vector: ["cosine", "l2", "inner-product"],
    halfvec: ["cosine", "l2", "inner-product"],
    bit: ["hamming"],
  },
  diskann: { vector: ["cosine", "l2", "inner-product"], halfvec: [], bit: [] },
};

export interface IndexOption {
  method: IndexMethod;
  quantization: Quantization;
  metric: Metric;
}

type Vectors = Pick<Collection, "dimensions" | "elementType">;

/** Why a collection cannot have such an index, by the contract's names; empty where it can. */
export function optionProblems(
  { method, quantization, metric }: IndexOption,
  collection: Vectors,
  server: Pick<ServerFacts, "vectorscale">,
): FieldViolation[] {
  if (method === "diskann" && !server.vectorscale) {
    return [
      problem("kind", "is diskann, which needs the extension vectorscale: CREATE EXTENSION vectorscale"),
    ];
  }
  return (
    quantizationProblem(quantization, method, collection) ??
    metricProblem(metric, quantization, method, collection) ??
    widthProblem(method, quantization, collection) ??
    []
  );
}

/** What needs no server to be known: for policies, which are wishes for later. */
export function quantizationProblem(
  quantization: Quantization,
  method: IndexMethod | undefined,
  { elementType }: Pick<Vectors, "elementType">,
): FieldViolation[] | undefined {
  if (method === "diskann" && elementType !== "vector")
    return [problem("kind", `is diskann, which is for vectors of 32-bit floats; these are ${elementType}`)];
  if (quantization === "none") return undefined;
  if (method === "diskann") {
    return [
      problem("quantization", `is ${quantization}, but diskann quantises by itself: leave it to the store`),
    ];
  }
  if (elementType === "bit") {
    return [
      problem("quantization", `is ${quantization}, but the vectors are bits already: leave it to the store`),
    ];
  }
  if (quantization === "halfvec" && elementType === "halfvec") {
    return [problem("quantization", "is halfvec, as the vectors are already: leave it to the store")];
  }
  return undefined;
}

function metricProblem(
  metric: Metric,
  quantization: Quantization,
  method: IndexMethod,
  collection: Vectors,
): FieldViolation[] | undefined {
  // Signs find candidates for any metric; whole vectors decide among them.
  const metrics =
    quantization === "binary"
      ? metricsOf(collection.elementType)
      : METRICS[method][indexedType(collection, quantization)];
  if (metrics.includes(metric)) return undefined;
  return [
    problem(
      "metric",
      `is ${metric}, but ${method} of ${collection.elementType} can do ${metrics.join(", ")} only`,
    ),
  ];
}

/** Whether the vectors are too wide for it. */
export function widthProblem(
  method: IndexMethod,
  quantization: Quantization,
  collection: Vectors,
): FieldViolation[] | undefined {
  const type = indexedType(collection, quantization);
  const most = method === "diskann" ? MAX_DISKANN_DIMENSIONS : MAX_INDEXED_DIMENSIONS[type];
  if (collection.dimensions > most) {
    const held = quantization === "none" ? "as they are" : `as ${quantization}`;
    const remedy = collection.elementType === "bit" ? "" : `; wider ones can be had ${widerThan(type)}`;
    return [
      problem(
        "quantization",
        `would hold vectors ${held}, which ${method} does up to ${most} dimensions, and they have ${collection.dimensions}${remedy}`,
      ),
    ];
  }
  // Directions of one number have no k-means (ivfbuild.c).
  if (method === "ivfflat" && collection.dimensions === 1 && type !== "bit")
    return [problem("kind", "is ivfflat, which needs vectors of more than one dimension")];
  return undefined;
}

const widerThan = (type: ElementType): string =>
  type === "vector" ? "as halfvec (4,000) or binary (64,000)" : "as binary (64,000)";

function problem(field: string, description: string): FieldViolation {
  return { field, description };
}
