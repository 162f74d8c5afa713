import type { MessageInitShape } from "@bufbuild/protobuf";
import type { DurationSchema } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import {
  Metric as MetricMessage,
  SearchMethod,
  type SearchFilter as SearchFilterMessage,
  type SearchRequest,
  type SearchResponseSchema,
} from "@kindred/contracts/vector-store/v1";
import { startChecks, type FieldChecks } from "@kindred/rpc";
import { search, type SearchDeps, type SearchResult } from "../domain/search.ts";
import { MAX_EF_SEARCH } from "../domain/search-plan.ts";
import type { Metric, SearchFilter, SearchQuery } from "../domain/search-query.ts";
import { MAX_EMBEDDING_TYPE_CHARACTERS, MAX_MODEL_TYPE_CHARACTERS, readVector } from "./embedding-fields.ts";
import { MAX_DATASET_CHARACTERS } from "./image-fields.ts";
import { limitsOf } from "./limits.ts";
import { toImageMessage } from "./messages.ts";
import { checkText } from "./text-checks.ts";

const DEFAULT_K = 10;
const MAX_K = 1000;

const METRICS: Partial<Record<MetricMessage, Metric>> = {
  [MetricMessage.UNSPECIFIED]: "cosine",
  [MetricMessage.COSINE]: "cosine",
  [MetricMessage.L2]: "l2",
  [MetricMessage.INNER_PRODUCT]: "inner-product",
  [MetricMessage.L1]: "l1",
};

const METHODS: Record<SearchResult["method"], SearchMethod> = {
  exact: SearchMethod.EXACT,
  hnsw: SearchMethod.HNSW,
  "exact-fallback": SearchMethod.EXACT_FALLBACK,
};

export function searchRpc(deps: SearchDeps) {
  return async (request: SearchRequest, context: HandlerContext) => {
    const query = readQuery(request);
    return toResponse(await search(deps, query, limitsOf(context)));
  };
}

function readQuery(request: SearchRequest): SearchQuery {
  const checks = startChecks();
  const by = readBy(request, checks);
  const k = request.k ?? DEFAULT_K;
  if (k < 1 || k > MAX_K) checks.add("k", `must be 1 to ${MAX_K}, is ${k}`);
  checks.finite("threshold", request.threshold);
  const metric = METRICS[request.metric];
  if (metric === undefined) checks.add("metric", `must be a known Metric, is ${request.metric}`);
  const filter = readFilter(request.filter, checks);
  const { efSearch } = request;
  if (efSearch < 0 || efSearch > MAX_EF_SEARCH) {
    checks.add("ef_search", `must be 1 to ${MAX_EF_SEARCH}, or 0 for the store to choose; is ${efSearch}`);
  }
  checks.throwIfAny();
  return {
    by: by as SearchQuery["by"],
    k,
    threshold: request.threshold,
    metric: metric as Metric,
    filter,
    exact: request.exact,
    efSearch: efSearch === 0 ? undefined : efSearch,
    hitPerEmbedding: request.hitPerEmbedding,
  };
}

function readBy({ query }: SearchRequest, checks: FieldChecks): SearchQuery["by"] | undefined {
  switch (query.case) {
    case "text":
      checkText(checks, "text", query.value, { required: true });
      return { kind: "text", text: query.value };
    case "vector":
      return { kind: "vector", ...readVector(query.value, "vector", checks) };
    case "imageId":
      return { kind: "image", id: query.value };
    case undefined:
      checks.add("query", "is required: text, vector or image_id");
      return undefined;
  }
}

function readFilter(message: SearchFilterMessage | undefined, checks: FieldChecks): SearchFilter {
  const { modelType = "", embeddingType = "", sourceDataset = "" } = message ?? {};
  checkText(checks, "filter.model_type", modelType, { maxCharacters: MAX_MODEL_TYPE_CHARACTERS });
  checkText(checks, "filter.embedding_type", embeddingType, { maxCharacters: MAX_EMBEDDING_TYPE_CHARACTERS });
  checkText(checks, "filter.source_dataset", sourceDataset, { maxCharacters: MAX_DATASET_CHARACTERS });
  return { modelType, embeddingType, sourceDataset };
}

function toResponse(result: SearchResult): MessageInitShape<typeof SearchResponseSchema> {
  return {
    hits: result.hits.map(({ image, similarity, distance, embeddingId, metadata }) => ({
      image: toImageMessage(image),
      similarity,
      distance,
      embeddingId,
      ...(metadata && { metadata }),
    })),
    plan: {
      method: METHODS[result.method],
      indexName: result.scan?.indexName ?? "",
      efSearch: result.scan?.efSearch ?? 0,
      complete: result.complete,
      spaceId: result.spaceId ?? "",
    },
    timings: { embed: toDuration(result.embedMs), database: toDuration(result.databaseMs) },
  };
}

function toDuration(ms: number): MessageInitShape<typeof DurationSchema> {
  const nanos = Math.round(ms * 1e6);
  return { seconds: BigInt(Math.floor(nanos / 1e9)), nanos: nanos % 1e9 };
}
