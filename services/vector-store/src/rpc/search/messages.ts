import type { MessageInitShape } from "@bufbuild/protobuf";
import type { DurationSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import {
  SearchMethod,
  type SearchHitSchema,
  type SearchPlanSchema,
  type SearchResponseSchema,
} from "@kindred/contracts/vector-store/v1";
import { COLLECTION, type Collection } from "../../domain/collection.ts";
import type { GroupValue } from "../../domain/item.ts";
import type { SearchHit, SearchPlan, SearchResult } from "../../domain/search/search.ts";
import { toImageMessage } from "../messages.ts";

export function toSearchResponse(result: SearchResult): MessageInitShape<typeof SearchResponseSchema> {
  const { collection, hits, plan } = result;
  return {
    hits: hits.map((hit) => toHitMessage(hit, collection)),
    plan: toPlanMessage(plan, collection),
    timings: { embed: toDuration(result.embedMs), database: toDuration(result.databaseMs) },
  };
}

function toHitMessage(hit: SearchHit, { name }: Collection): MessageInitShape<typeof SearchHitSchema> {
  const { key, similarity, distance, image, metadata, vector, document, group } = hit;
  return {
    key,
    similarity,
    distance,
    ...(image && { image: toImageMessage(image) }),
    ...(name === COLLECTION && { embeddingId: BigInt(key) }),
    ...(metadata && { metadata }),
    ...(vector && { vector }),
    document: document ?? "",
    // An image's hit says by itself which image it is.
    ...(group !== undefined && !image && { group: toValue(group) }),
    fusedScore: hit.fusedScore ?? 0,
    textRank: hit.textRank ?? 0,
  };
}

function toValue(group: Exclude<GroupValue, undefined>): MessageInitShape<typeof ValueSchema> {
  switch (typeof group) {
    case "string":
      return { kind: { case: "stringValue", value: group } };
    case "number":
      return { kind: { case: "numberValue", value: group } };
    case "boolean":
      return { kind: { case: "boolValue", value: group } };
  }
}

export function toPlanMessage(
  plan: SearchPlan,
  { space }: Collection,
): MessageInitShape<typeof SearchPlanSchema> {
  const { scan } = plan;
  return {
    method: methodOf(plan),
    indexName: scan.method === "exact" ? "" : scan.indexName,
    efSearch: scan.method === "hnsw" ? scan.efSearch : 0,
    probes: scan.method === "ivfflat" ? scan.probes : 0,
    complete: plan.complete,
    spaceId: space?.id ?? "",
    rowsScanned: BigInt(plan.rowsScanned ?? 0),
    textMethod: plan.textMethod ?? "",
    ...(plan.matchingRows !== undefined && { matchingRows: BigInt(plan.matchingRows) }),
    iterative: plan.iterative,
    recallTarget: plan.recallTarget ?? 0,
    expectedRecall: plan.expectedRecall ?? 0,
    quantization: scan.method === "exact" ? "" : scan.quantization,
    reranked: scan.method === "exact" ? 0 : (scan.rerank ?? 0),
    searchListSize: scan.method === "diskann" ? scan.searchListSize : 0,
    replica: plan.replica,
    ...(plan.filterSelectivity !== undefined && { filterSelectivity: plan.filterSelectivity }),
  };
}

function methodOf({ scan, inProcess, fallback }: SearchPlan): SearchMethod {
  if (inProcess) return SearchMethod.IN_PROCESS;
  if (fallback) return SearchMethod.EXACT_FALLBACK;
  switch (scan.method) {
    case "exact":
      return SearchMethod.EXACT;
    case "hnsw":
      return SearchMethod.HNSW;
    case "ivfflat":
      return SearchMethod.IVFFLAT;
    case "diskann":
      return SearchMethod.DISKANN;
  }
}

export function toDuration(ms: number): MessageInitShape<typeof DurationSchema> {
  const nanos = Math.round(ms * 1e6);
  return { seconds: BigInt(Math.floor(nanos / 1e9)), nanos: nanos % 1e9 };
}
