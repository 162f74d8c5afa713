import { invalidField, KindredError } from "@kindred/errors";
import type { Collection } from "../collection.ts";
import type { CollectionRepository, ItemSearch } from "../item-ports.ts";
import type { Operation, OperationStore } from "../operations/operation.ts";
import type { CallLimits } from "../ports.ts";
import { buildOperationSpec } from "./build-spec.ts";
import { chooseIndexName } from "./choose-name.ts";
import type { IndexBuilding, IndexForecast, IndexPlanner } from "./index-ports.ts";
import type { IndexWish } from "./index-spec.ts";
import type { IndexUpkeep } from "./index-upkeep.ts";
import { namedIndex } from "./rebuild-index.ts";

export interface StartIndexDeps {
  collections: Pick<CollectionRepository, "get">;
  operations: Pick<OperationStore, "start">;
  planner: IndexPlanner;
  indexes: IndexBuilding & IndexUpkeep;
  search: Pick<ItemSearch, "state">;
}

/**
 * Begins to build an index.
 * @throws KindredError invalid-argument for what cannot be had; already-exists where its name is taken; failed-precondition where a preflight finds that it cannot be built; aborted,
 *   with a retry delay, while another operation of the collection runs
 */
export async function startIndexBuild(
  deps: StartIndexDeps,
  request: {
    collection: string;
    wish: IndexWish;
    /** Undefined: as the policy says, or by the rule. */
    indexName: string | undefined;
    keepOnMiss: boolean;
    keepOthers: boolean;
    requestId: string | undefined;
  },
  left: () => CallLimits,
): Promise<Operation> {
  const { wish, indexName, keepOnMiss, keepOthers, requestId } = request;
  const collection = await deps.collections.get(request.collection);
  // Who asks for what cannot be had is told now, and not by an operation that fails.
  const { spec } = await plannedForecast(deps, collection, wish, left);
  await chooseIndexName(deps.indexes, collection, spec, indexName, left());
  return await deps.operations.start(
    {
      kind: "index-build",
      subject: collection.name,
      spec: buildOperationSpec({ wish, indexName, keepOnMiss, keepOthers, tuningMs: undefined }),
      automatic: false,
      requestId,
    },
    left(),
  );
}

async function plannedForecast(
  { planner, indexes }: StartIndexDeps,
  collection: Collection,
  wish: IndexWish,
  left: () => CallLimits,
): Promise<IndexForecast> {
  const { recallTarget } = collection;
  const options = { recallTarget, rows: undefined, calibrate: false };
  const { chosen, alternatives, reasons } = await planner.plan(collection, wish, options, left());
  const forecast = chosen ?? alternatives[0];
  if (!forecast)
    throw new KindredError("failed-precondition", `no index can be built: ${reasons.join("; ")}`);
  const checks = await indexes.preflight(collection, forecast, left());
  const failed = checks.filter(({ outcome }) => outcome === "failed");
  if (failed.length === 0) return forecast;
  const found = failed.map(({ name, message }) => `${name}: ${message}`).join("; ");
  throw new KindredError("failed-precondition", `the index cannot be built: ${found}`);
}

/** Begins to build an index again. @param request.indexName undefined: the one that searches use. @throws KindredError not-found */
export async function startIndexRebuild(
  deps: StartIndexDeps,
  request: { collection: string; indexName: string | undefined; requestId: string | undefined },
  left: () => CallLimits,
): Promise<Operation> {
  const collection = await deps.collections.get(request.collection);
  const name = request.indexName ?? (await servingIndex(deps, collection));
  await namedIndex(deps, collection, name, left());
  return await deps.operations.start(
    {
      kind: "index-rebuild",
      subject: collection.name,
      spec: { index_name: name },
      automatic: false,
      requestId: request.requestId,
    },
    left(),
  );
}

async function servingIndex({ search }: StartIndexDeps, collection: Collection): Promise<string> {
  const { indexes } = await search.state(collection);
  const serving = indexes.find(
    ({ metric, quantization }) => quantization === "binary" || metric === collection.metric,
  );
  if (serving) return serving.name;
  throw invalidField("index_name", `must name an index: no search of ${collection.name} uses one`);
}

/** Begins to drop an index, whose ever it is. @throws KindredError not-found */
export async function startIndexDrop(
  deps: StartIndexDeps,
  request: { collection: string; indexName: string; requestId: string | undefined },
  left: () => CallLimits,
): Promise<Operation> {
  const collection = await deps.collections.get(request.collection);
  await namedIndex(deps, collection, request.indexName, left());
  return await deps.operations.start(
    {
      kind: "index-drop",
      subject: collection.name,
      spec: { index_name: request.indexName },
      automatic: false,
      requestId: request.requestId,
    },
    left(),
  );
}
