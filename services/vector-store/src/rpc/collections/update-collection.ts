import type { HandlerContext } from "@connectrpc/connect";
import {
  IndexKind,
  IndexMaintenance,
  IndexQuantization,
  Metric as MetricMessage,
  type Collection as CollectionMessage,
  type UpdateCollectionRequest,
} from "@kindred/contracts/vector-store/v1";
import { startChecks, type FieldChecks } from "@kindred/rpc";
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
  "index_policy.quantization",
  "index_policy.maintenance",
  "index_policy.min_rows",
  "index_policy.index_name",
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
): CollectionChanges["indexPolicy"] {
  const field = "collection.index_policy";
  // Which maintenance is usual depends on the collection.
  const usual = (indexPolicy?.maintenance ?? IndexMaintenance.UNSPECIFIED) === IndexMaintenance.UNSPECIFIED;
  if (named("index_policy")) {
    const policy = readIndexPolicy(indexPolicy, field, checks);
    return usual ? { ...policy, maintenance: undefined } : policy;
  }
  const given = {
    ...(named("index_policy.kind") && { kind: indexPolicy?.kind ?? IndexKind.UNSPECIFIED }),
    ...(named("index_policy.m") && { m: indexPolicy?.m ?? 0 }),
    ...(named("index_policy.ef_construction") && { efConstruction: indexPolicy?.efConstruction ?? 0 }),
    ...(named("index_policy.lists") && { lists: indexPolicy?.lists ?? 0 }),
    ...(named("index_policy.quantization") && {
      quantization: indexPolicy?.quantization ?? IndexQuantization.UNSPECIFIED,
    }),
    ...(named("index_policy.maintenance") && {
      maintenance: indexPolicy?.maintenance ?? IndexMaintenance.UNSPECIFIED,
    }),
    ...(named("index_policy.min_rows") && { minRows: indexPolicy?.minRows ?? 0n }),
    ...(named("index_policy.index_name") && { indexName: indexPolicy?.indexName ?? "" }),
  };
  const names = Object.keys(given) as (keyof typeof given)[];
  if (names.length === 0) return undefined;
  const policy = readIndexPolicy(given, field, checks);
  const changes: CollectionChanges["indexPolicy"] = Object.fromEntries(
    names.map((name) => [name, policy[name]]),
  );
  return "maintenance" in given && usual ? { ...changes, maintenance: undefined } : changes;
}
