import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  Metric as MetricMessage,
  type GroupBy,
  type HybridSearch,
  type Diversity as DiversityMessage,
  type Projection as ProjectionMessage,
  type SearchFilter,
  type SearchRequest,
  type WeightedQuery,
} from "@kindred/contracts/vector-store/v1";
import { startChecks, type FieldChecks } from "@kindred/rpc";
import { COLLECTION, type Metric } from "../../domain/collection.ts";
import { allOf, type Filter } from "../../domain/filter.ts";
import type { Projection } from "../../domain/item.ts";
import { MAX_KEY_CHARACTERS } from "../../domain/items/key-form.ts";
import { MAX_EF_SEARCH, MAX_PROBES } from "../../domain/search/search-plan.ts";
import {
  CANDIDATES_PER_HIT,
  LEAST_CANDIDATES,
  type Diversity,
  type Grouping,
  type Hybrid,
  type QuerySource,
  type SearchQuery,
  type WeightedSource,
} from "../../domain/search/search-query.ts";
import { MAX_EMBEDDING_TYPE_CHARACTERS, MAX_MODEL_TYPE_CHARACTERS } from "../embedding-fields.ts";
import { MAX_DATASET_CHARACTERS } from "../image-fields.ts";
import { readFieldPath, readFilter } from "../read-filter.ts";
import { checkText, MAX_SPACE_ID_CHARACTERS } from "../text-checks.ts";

const DEFAULT_K = 10;
const MAX_K = 1000;
/** Of offset + k, and of candidates. */
const MAX_DEPTH = 10_000;
const MAX_QUERIES = 64;
const MAX_GROUP_SIZE = 100;
const MAX_PROJECTED_FIELDS = 1000;
/** k of reciprocal rank fusion, as in the paper. */
const RANK_CONSTANT = 60;
const LAMBDA = 0.5;

const METRICS: Record<MetricMessage, Metric | undefined> = {
  [MetricMessage.UNSPECIFIED]: undefined,
  [MetricMessage.COSINE]: "cosine",
  [MetricMessage.L2]: "l2",
  [MetricMessage.INNER_PRODUCT]: "inner-product",
  [MetricMessage.L1]: "l1",
  [MetricMessage.HAMMING]: "hamming",
  [MetricMessage.JACCARD]: "jaccard",
};

/**
 * @param at path of the request in the message that it came in, with a dot at its end; empty for the message itself
 * @throws KindredError invalid-argument that names every bad field.
 */
export function readQuery(request: SearchRequest, at = ""): SearchQuery {
  const checks = startChecks();
  const collection = request.collection || COLLECTION;
  const isImages = collection === COLLECTION;
  const by = readBy(request, at, checks);
  if (by?.kind === "image" && !isImages)
    checks.add(`${at}image_id`, `can only be asked of "${COLLECTION}"; use key`);
  if (request.hitPerEmbedding && !isImages)
    checks.add(`${at}hit_per_embedding`, `has a meaning in "${COLLECTION}" only`);
  const k = request.k ?? DEFAULT_K;
  const { offset, efSearch, probes, threshold } = request;
  if (k < 1 || k > MAX_K) checks.add(`${at}k`, `must be 1 to ${MAX_K}, is ${k}`);
  else if (offset < 0 || offset + k > MAX_DEPTH) {
    checks.add(`${at}offset`, `must be 0 to ${MAX_DEPTH - k}, is ${offset}`);
  }
  checks.finite(`${at}threshold`, threshold);
  if (!(request.metric in METRICS)) checks.add(`${at}metric`, `must be a known Metric, is ${request.metric}`);
  checkEffort(`${at}ef_search`, efSearch, MAX_EF_SEARCH, checks);
  checkEffort(`${at}probes`, probes, MAX_PROBES, checks);
  if (efSearch !== 0 && probes !== 0) checks.add(`${at}probes`, "cannot be given together with ef_search");
  checkRecallTarget(request, at, checks);
  const filter = allOf(
    readCatalogueFilter(request.filter, isImages, at, checks),
    readFilter(request.where, `${at}where`, checks),
  );
  const group = readGrouping(request.groupBy, at, checks);
  const hybrid = readHybrid(request.hybrid, by, offset + k, at, checks);
  const diversity = readDiversity(request.diversity, offset + k, at, checks);
  if (hybrid && diversity) checks.add(`${at}diversity`, "cannot be given together with hybrid");
  if (group && group.size > 1 && (hybrid || diversity)) {
    checks.add(`${at}group_by.group_size`, "must be 1 together with hybrid or diversity");
  }
  const projection = readProjection(request.projection, `${at}projection`, checks);
  const maxStalenessMs = request.maxStaleness && durationMs(request.maxStaleness);
  if (maxStalenessMs !== undefined && !(maxStalenessMs >= 0))
    checks.add(`${at}max_staleness`, `must be 0 (asks the primary) or more, is ${maxStalenessMs} ms`);
  checks.throwIfAny();
  return {
    collection,
    by: by as SearchQuery["by"],
    k,
    offset,
    threshold,
    metric: METRICS[request.metric],
    filter,
    exact: request.exact,
    efSearch: efSearch || undefined,
    probes: probes || undefined,
    recallTarget: request.recallTarget,
    hitPerEmbedding: request.hitPerEmbedding,
    group,
    hybrid,
    diversity,
    // An image's document is its description, which it has anyway.
    projection: isImages ? { ...projection, document: false } : projection,
    maxStalenessMs,
  };
}

function readBy({ query }: SearchRequest, at: string, checks: FieldChecks): SearchQuery["by"] | undefined {
  if (query.case === "imageId") return { kind: "image", id: query.value, field: `${at}image_id` };
  if (query.case !== "several") {
    return readSource(query, at, "is required: text, vector, key, image_id or several", checks);
  }
  const { queries } = query.value;
  const field = `${at}several`;
  checks.size(`${field}.queries`, queries, { max: MAX_QUERIES });
  const sources = queries.map((each, i) => readWeighted(each, `${field}.queries[${i}].`, checks));
  return { kind: "several", queries: sources.filter((source) => source !== undefined), field };
}

function readWeighted(query: WeightedQuery, at: string, checks: FieldChecks): WeightedSource | undefined {
  const { weight = 1 } = query;
  if (!Number.isFinite(weight) || weight === 0) {
    checks.add(`${at}weight`, `must be a finite number other than 0, is ${weight}`);
  }
  const source = readSource(query.query, at, "is required: text, vector or key", checks);
  return source && { source, weight };
}

function readSource(
  query: WeightedQuery["query"],
  at: string,
  remedy: string,
  checks: FieldChecks,
): QuerySource | undefined {
  switch (query.case) {
    case "text":
      checkText(checks, `${at}text`, query.value, { required: true });
      return { kind: "text", text: query.value, field: `${at}text` };
    case "vector": {
      // Its length is checked where the collection is known.
      const { data, spaceId } = query.value;
      checkText(checks, `${at}vector.space_id`, spaceId, { maxCharacters: MAX_SPACE_ID_CHARACTERS });
      return { kind: "vector", data, spaceId, field: `${at}vector` };
    }
    case "key":
      checkText(checks, `${at}key`, query.value, { required: true, maxCharacters: MAX_KEY_CHARACTERS });
      return { kind: "key", key: query.value, field: `${at}key` };
    case undefined:
      checks.add(`${at}query`, remedy);
      return undefined;
  }
}

function checkEffort(field: string, value: number, max: number, checks: FieldChecks): void {
  if (value < 0 || value > max)
    checks.add(field, `must be 1 to ${max}, or 0 for the store to choose; is ${value}`);
}

function checkRecallTarget(
  { recallTarget, exact, efSearch, probes }: SearchRequest,
  at: string,
  checks: FieldChecks,
): void {
  if (recallTarget === undefined) return;
  const field = `${at}recall_target`;
  if (!(recallTarget > 0 && recallTarget <= 1)) {
    checks.add(field, `must be above 0 and at most 1, is ${recallTarget}`);
  }
  if (exact) checks.add(field, "cannot be given together with exact, which finds all");
  else if (efSearch !== 0) checks.add(field, "cannot be given together with ef_search");
  else if (probes !== 0) checks.add(field, "cannot be given together with probes");
}

/** The conditions that the images catalogue had before there was a filter language. */
function readCatalogueFilter(
  message: SearchFilter | undefined,
  isImages: boolean,
  at: string,
  checks: FieldChecks,
): Filter | undefined {
  if (!message) return undefined;
  const { modelType, embeddingType, sourceDataset } = message;
  checkText(checks, `${at}filter.model_type`, modelType, { maxCharacters: MAX_MODEL_TYPE_CHARACTERS });
  checkText(checks, `${at}filter.embedding_type`, embeddingType, {
    maxCharacters: MAX_EMBEDDING_TYPE_CHARACTERS,
  });
  checkText(checks, `${at}filter.source_dataset`, sourceDataset, { maxCharacters: MAX_DATASET_CHARACTERS });
  const equals = (column: string, value: string): Filter | undefined =>
    value === "" ? undefined : { kind: "eq", path: [column], value };
  const filter = allOf(
    equals("model_type", modelType),
    equals("embedding_type", embeddingType),
    equals("source_dataset", sourceDataset),
  );
  if (filter && !isImages) checks.add(`${at}filter`, `is for "${COLLECTION}" only; use where`);
  return filter;
}

function readGrouping(message: GroupBy | undefined, at: string, checks: FieldChecks): Grouping | undefined {
  if (!message) return undefined;
  const path = readFieldPath(message.field, `${at}group_by.field`, checks);
  const size = checks.count(`${at}group_by.group_size`, message.groupSize, { max: MAX_GROUP_SIZE, zero: 1 });
  return { path, size };
}

function readHybrid(
  message: HybridSearch | undefined,
  by: SearchQuery["by"] | undefined,
  depth: number,
  at: string,
  checks: FieldChecks,
): Hybrid | undefined {
  if (!message) return undefined;
  const field = `${at}hybrid`;
  const { text, rankConstant = RANK_CONSTANT, textWeight = 1 } = message;
  checkText(checks, `${field}.text`, text);
  if (text === "" && by && by.kind !== "text")
    checks.add(`${field}.text`, "is required where the query is no text");
  for (const [name, value] of [
    ["rank_constant", rankConstant],
    ["text_weight", textWeight],
  ] as const) {
    if (!Number.isFinite(value) || value <= 0)
      checks.add(`${field}.${name}`, `must be a finite number above 0, is ${value}`);
  }
  const candidates = readCandidates(message.candidates, depth, `${field}.candidates`, checks);
  return { text: text || undefined, rankConstant, textWeight, candidates };
}

function readDiversity(
  message: DiversityMessage | undefined,
  depth: number,
  at: string,
  checks: FieldChecks,
): Diversity | undefined {
  if (!message) return undefined;
  const { lambda = LAMBDA } = message;
  if (!(lambda >= 0 && lambda <= 1)) checks.add(`${at}diversity.lambda`, `must be 0 to 1, is ${lambda}`);
  return {
    lambda,
    candidates: readCandidates(message.candidates, depth, `${at}diversity.candidates`, checks),
  };
}

function readCandidates(candidates: number, depth: number, field: string, checks: FieldChecks): number {
  if (candidates === 0) return Math.min(MAX_DEPTH, Math.max(LEAST_CANDIDATES, CANDIDATES_PER_HIT * depth));
  if (candidates < depth || candidates > MAX_DEPTH) {
    checks.add(
      field,
      `must be offset + k (${depth}) to ${MAX_DEPTH}, or 0 for the store to choose; is ${candidates}`,
    );
  }
  return candidates;
}

export function readProjection(
  message: ProjectionMessage | undefined,
  field: string,
  checks: FieldChecks,
): Projection {
  if (!message) return { vector: false, metadata: "all", document: true };
  const { vector, omitMetadata, omitDocument, metadataFields } = message;
  if (metadataFields.length > MAX_PROJECTED_FIELDS) {
    checks.add(
      `${field}.metadata_fields`,
      `must be at most ${MAX_PROJECTED_FIELDS}, are ${metadataFields.length}`,
    );
  }
  for (const [i, name] of metadataFields.entries()) checkText(checks, `${field}.metadata_fields[${i}]`, name);
  if (omitMetadata && metadataFields.length > 0) {
    checks.add(`${field}.metadata_fields`, "cannot be given together with omit_metadata");
  }
  const metadata = omitMetadata ? "none" : metadataFields.length > 0 ? metadataFields : "all";
  return { vector, metadata, document: !omitDocument };
}
