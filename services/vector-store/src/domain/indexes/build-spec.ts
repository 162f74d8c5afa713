import type { Metric } from "../collection.ts";
import type { JsonObject, JsonValue } from "../image.ts";
import type { IndexForecast } from "./index-ports.ts";
import type { BuildParameters, IndexMethod, IndexSpec, IndexWish, Quantization } from "./index-spec.ts";

// What an operation that builds an index has written down of it. Names are the contract's.

/** What an operation of kind "index-build" was asked for. */
export interface BuildRequest {
  wish: IndexWish;
  /** What it shall be called; undefined: as the policy says, or by the rule. */
  indexName: string | undefined;
  /** Keep it though it misses the recall target. */
  keepOnMiss: boolean;
  /** Leave other indexes of the store's where they are. */
  keepOthers: boolean;
  /** Longest time for tuning, in milliseconds; undefined: DEFAULT_TUNING_MS. */
  tuningMs: number | undefined;
}

/** Long enough for a few hundred queries of every effort, and their exact answers, among some million rows. */
export const DEFAULT_TUNING_MS = 5 * 60_000;

/** The spec of an operation that builds an index. */
export function buildOperationSpec(request: BuildRequest): JsonObject {
  const { wish, indexName, keepOnMiss, keepOthers, tuningMs } = request;
  return {
    ...wishToJson(wish),
    ...(indexName !== undefined && { index_name: indexName }),
    keep_on_miss: keepOnMiss,
    keep_others: keepOthers,
    ...(tuningMs !== undefined && { tuning_ms: tuningMs }),
  };
}

export function readBuildRequest(spec: JsonObject): BuildRequest {
  return {
    wish: wishFromJson(spec),
    indexName: typeof spec["index_name"] === "string" ? spec["index_name"] : undefined,
    keepOnMiss: spec["keep_on_miss"] === true,
    keepOthers: spec["keep_others"] === true,
    tuningMs: numberOf(spec["tuning_ms"]),
  };
}

export function wishToJson(wish: Partial<IndexWish>): JsonObject {
  const entries: [string, JsonValue | undefined][] = [
    ["method", wish.method],
    ["quantization", wish.quantization],
    ["metric", wish.metric],
    ["m", wish.m],
    ["ef_construction", wish.efConstruction],
    ["lists", wish.lists],
    ["num_neighbors", wish.numNeighbors],
    ["search_list_size", wish.searchListSize],
  ];
  return Object.fromEntries(entries.filter((entry): entry is [string, JsonValue] => entry[1] !== undefined));
}

export function wishFromJson(json: JsonObject): IndexWish {
  return {
    method: json["method"] as IndexMethod | undefined,
    quantization: json["quantization"] as Quantization | undefined,
    metric: json["metric"] as Metric | undefined,
    m: numberOf(json["m"]),
    efConstruction: numberOf(json["ef_construction"]),
    lists: numberOf(json["lists"]),
    numNeighbors: numberOf(json["num_neighbors"]),
    searchListSize: numberOf(json["search_list_size"]),
  };
}

/** Of a spec every number is set but those of vectorscale's that are left to it. */
export function specFromJson(json: JsonObject): IndexSpec {
  const wish = wishFromJson(json);
  return {
    ...parametersOf(wish),
    quantization: wish.quantization ?? "none",
    metric: wish.metric ?? "cosine",
  };
}

function parametersOf({
  method,
  m,
  efConstruction,
  lists,
  numNeighbors,
  searchListSize,
}: IndexWish): BuildParameters {
  switch (method) {
    case "ivfflat":
      return { method, lists: lists ?? 1 };
    case "diskann":
      return { method, numNeighbors, searchListSize };
    case "hnsw":
    case undefined:
      return { method: "hnsw", m: m ?? 16, efConstruction: efConstruction ?? 200 };
  }
}

export function forecastToJson({
  spec,
  sizeBytes,
  buildMemoryBytes,
  buildMs,
  calibrated,
}: IndexForecast): JsonObject {
  return {
    ...wishToJson(spec),
    size_bytes: sizeBytes,
    build_memory_bytes: buildMemoryBytes,
    build_ms: buildMs,
    calibrated,
  };
}

/** Without its reasons, which nobody needs once it was chosen. */
export function forecastFromJson(json: JsonObject): IndexForecast {
  return {
    spec: specFromJson(json),
    sizeBytes: numberOf(json["size_bytes"]) ?? 0,
    buildMemoryBytes: numberOf(json["build_memory_bytes"]) ?? 0,
    buildMs: numberOf(json["build_ms"]) ?? 0,
    calibrated: json["calibrated"] === true,
    reasons: [],
  };
}

function numberOf(value: JsonValue | undefined): number | undefined {
  return typeof value === "number" ? value : undefined;
}
