import type { HandlerContext } from "@connectrpc/connect";
import {
  IndexKind,
  Metric as MetricMessage,
  type Collection as CollectionMessage,
  type UpdateCollectionRequest,
} from "@kindred/contracts/vector-store/v1";
import { startChecks, type FieldChecks } from "@kindred/rpc";
import type { IndexPolicy } from "../../domain/collection.ts";
import type { CollectionChanges, CollectionRepository } from "../../domain/item-ports.ts";
import { limitsOf } from "../limits.ts";
import { readIndexPolicy, readMetric, readName, readRecallTarget, readSpace } from "./collection-fields.ts";
import { toCollectionMessage } from "./messages.ts";

export function updateCollectionRpc({ collections }: { collections: Pick<CollectionRepository, "update"> }) {
  return async (request: UpdateCollectionRequest, context: HandlerContext) => {
    const checks = startChecks();
    const { collection, updateMask } = request;
    if (!collection) checks.add("collection", "is required");
    const name = collection ? readName(collection.name, "collection.name", checks) : "";
    const changes = collection ? readChanges(collection, updateMask?.paths ?? [], checks) : {};
    checks.throwIfAny();
    return { collection: toCollectionMessage(await collections.update(name, changes, limitsOf(context))) };
  };
}

/** What a mask may name; members of the index policy one by one too. */
const PATHS = [
  "recall_target",
  "metric",
  "space_id",
  "index_policy",
  "index_policy.kind",
  "index_policy.m",
  "index_policy.ef_construction",
  "index_policy.lists",
] as const;

/** Only what the mask names is looked at. */
function readChanges(
  message: CollectionMessage,
  paths: readonly string[],
  checks: FieldChecks,
): CollectionChanges {
  if (paths.length === 0) checks.add("update_mask", `must name what to change: ${PATHS.join(", ")}`);
  for (const [i, path] of paths.entries()) {
    if (!PATHS.some((known) => known === path))
      checks.add(`update_mask.paths[${i}]`, `must be one of ${PATHS.join(", ")}; is ${JSON.stringify(path)}`);
  }
  const named = (path: (typeof PATHS)[number]): boolean => paths.includes(path);
  const changes: CollectionChanges = {};
  if (named("recall_target"))
    changes.recallTarget = readRecallTarget(message.recallTarget, "collection.recall_target", checks);
  if (named("metric")) {
    if (message.metric === MetricMessage.UNSPECIFIED) checks.add("collection.metric", MISSING);
    const metric = readMetric(message.metric, "collection.metric", checks);
    if (metric) changes.metric = metric;
  }
  if (named("space_id")) {
    if (message.spaceId === "") checks.add("collection.space_id", MISSING);
    const space = readSpace(message.spaceId, "collection.space_id", checks);
    if (space) changes.space = space;
  }
  const indexPolicy = readPolicyChanges(message, named, checks);
  if (indexPolicy) changes.indexPolicy = indexPolicy;
  return changes;
}

const MISSING = "is required where update_mask names it";

function readPolicyChanges(
  { indexPolicy }: CollectionMessage,
  named: (path: (typeof PATHS)[number]) => boolean,
  checks: FieldChecks,
): Partial<IndexPolicy> | undefined {
  const field = "collection.index_policy";
  if (named("index_policy")) return readIndexPolicy(indexPolicy, field, checks);
  const given = {
    ...(named("index_policy.kind") && { kind: indexPolicy?.kind ?? IndexKind.UNSPECIFIED }),
    ...(named("index_policy.m") && { m: indexPolicy?.m ?? 0 }),
    ...(named("index_policy.ef_construction") && { efConstruction: indexPolicy?.efConstruction ?? 0 }),
    ...(named("index_policy.lists") && { lists: indexPolicy?.lists ?? 0 }),
  };
  const names = Object.keys(given) as (keyof typeof given)[];
  if (names.length === 0) return undefined;
  const policy = readIndexPolicy(given, field, checks);
  return Object.fromEntries(names.map((name) => [name, policy[name]])) as Partial<IndexPolicy>;
}
