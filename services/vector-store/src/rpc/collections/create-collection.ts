import type { HandlerContext } from "@connectrpc/connect";
import type { CreateCollectionRequest } from "@kindred/contracts/vector-store/v1";
import { invalidField } from "@kindred/errors";
import { startChecks, type FieldChecks } from "@kindred/rpc";
import { countDown } from "../../domain/call-limits.ts";
import {
  MAX_DIMENSIONS,
  MAX_HASH_PARTITIONS,
  metricsOf,
  type ElementType,
  type Metric,
} from "../../domain/collection.ts";
import type { EmbeddingSpace } from "../../domain/embedding-space.ts";
import { unfittingPolicy } from "../../domain/index-policy.ts";
import type { CollectionRepository, NewCollection } from "../../domain/item-ports.ts";
import type { EmbeddingPort } from "../../domain/ports.ts";
import { limitsOf } from "../limits.ts";
import {
  DEFAULT_RECALL_TARGET,
  readIndexPolicy,
  readMetric,
  readName,
  readRecallTarget,
  readSpace,
  readTextSearchConfig,
} from "./collection-fields.ts";
import { ELEMENT_TYPES } from "./enums.ts";
import { toCollectionMessage } from "./messages.ts";

export interface CreateCollectionDeps {
  collections: Pick<CollectionRepository, "create">;
  embedding: Pick<EmbeddingPort, "servedSpace">;
}

export function createCollectionRpc({ collections, embedding }: CreateCollectionDeps) {
  return async (request: CreateCollectionRequest, context: HandlerContext) => {
    const left = countDown(limitsOf(context));
    requireOneSource(request);
    const served = request.servedSpace ? await embedding.servedSpace(left()) : undefined;
    const collection = await collections.create(
      readNewCollection(served ? { ...request, spaceId: served.id } : request),
      left(),
    );
    return { collection: toCollectionMessage(collection) };
  };
}

function requireOneSource({ servedSpace, dimensions, spaceId }: CreateCollectionRequest): void {
  if (!servedSpace || (dimensions === 0 && spaceId === "")) return;
  const other = spaceId === "" ? "dimensions" : "space_id";
  throw invalidField("served_space", `cannot be given together with ${other}`);
}

function readNewCollection(request: CreateCollectionRequest): NewCollection {
  const checks = startChecks();
  const name = readName(request.name, "name", checks);
  const elementType = ELEMENT_TYPES.get(request.elementType);
  if (!elementType) checks.add("element_type", `must be a known ElementType, is ${request.elementType}`);
  const space = readSpace(request.spaceId, "space_id", checks);
  const collection: NewCollection = {
    name,
    dimensions: readDimensions(request, elementType ?? "vector", space, checks),
    elementType: elementType ?? "vector",
    metric: readFittingMetric(request, elementType ?? "vector", checks),
    space,
    recallTarget: readRecallTarget(request.recallTarget ?? DEFAULT_RECALL_TARGET, "recall_target", checks),
    indexPolicy: readIndexPolicy(request.indexPolicy, "index_policy", checks),
    textSearchConfig: readTextSearchConfig(request.textSearchConfig, "text_search_config", checks),
    hashPartitions: readHashPartitions(request.hashPartitions, checks),
  };
  for (const { field, description } of unfittingPolicy(collection.indexPolicy, collection))
    checks.add(`index_policy.${field}`, description);
  checks.throwIfAny();
  return collection;
}

/** How long the vectors are: as the request says, or as the space does. */
function readDimensions(
  request: CreateCollectionRequest,
  elementType: ElementType,
  space: EmbeddingSpace | undefined,
  checks: FieldChecks,
): number {
  const most = MAX_DIMENSIONS[elementType];
  const fromSpace = request.dimensions === 0 && request.spaceId !== "";
  const dimensions = fromSpace ? (space?.dimensions ?? 1) : request.dimensions;
  if (dimensions < 1 || dimensions > most) {
    if (fromSpace)
      checks.add("space_id", `must be of 1 to ${most} dimensions for ${elementType}, is of ${dimensions}`);
    else
      checks.add(
        "dimensions",
        `must be 1 to ${most} for ${elementType}, or 0 with a space_id that says; is ${dimensions}`,
      );
  } else if (space && space.dimensions !== dimensions) {
    checks.add("dimensions", `must be ${space.dimensions} as in space_id, or 0; is ${dimensions}`);
  }
  return dimensions;
}

function readHashPartitions(partitions: number, checks: FieldChecks): number | undefined {
  if (partitions === 0) return undefined;
  if (partitions < 2 || partitions > MAX_HASH_PARTITIONS)
    checks.add(
      "hash_partitions",
      `must be 2 to ${MAX_HASH_PARTITIONS}, or 0 for one table; is ${partitions}`,
    );
  return partitions;
}

function readFittingMetric(
  request: CreateCollectionRequest,
  elementType: ElementType,
  checks: FieldChecks,
): Metric {
  const [standard, ...others] = metricsOf(elementType) as [Metric, ...Metric[]];
  const metric = readMetric(request.metric, "metric", checks) ?? standard;
  if (metric !== standard && !others.includes(metric)) {
    checks.add("metric", `must be one for ${elementType}: ${[standard, ...others].join(", ")}; is ${metric}`);
  }
  return metric;
}
