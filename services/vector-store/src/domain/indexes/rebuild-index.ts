import type { Collection } from "../collection.ts";
import type { OperationHandler } from "../operations/operation.ts";
import type { IndexOperationDeps } from "./build-index.ts";
import type { IndexWish } from "./index-spec.ts";
import type { KnownIndex } from "./index-upkeep.ts";
import type { CallLimits } from "../ports.ts";
import { KindredError } from "@kindred/errors";
import { phasesOf } from "./operation-steps.ts";
import { tuneBuiltIndex, tuningText } from "./tune-built-index.ts";

/** Builds an index again as it is, whose ever it is. Its spec: { index_name }. */
export function rebuildIndexHandler(deps: IndexOperationDeps): OperationHandler {
  return {
    kind: "index-rebuild",
    async run(context) {
      const { operation, signal } = context;
      const phase = phasesOf(context, ["plan", "build", "analyze", "tune"]);
      const collection = await deps.collections.get(operation.subject);
      phase("plan");
      const name = String(operation.spec["index_name"]);
      const index = await namedIndex(deps, collection, name, { signal });
      // By the name leftovers of it are known.
      await context.checkpoint({ index_name: name });
      const memoryBytes = await memoryFor(deps, collection, index, { signal });
      const built = await deps.indexes.rebuild(collection, name, memoryBytes, phase("build"));
      phase("analyze");
      await deps.indexes.analyze(collection, signal);
      const tuning = await tuneBuiltIndex(deps, collection, name, undefined, phase("tune"));
      if (tuning && !tuning.met)
        context.note(
          `the index misses the recall target of ${collection.recallTarget}: ${tuningText(tuning)}`,
        );
      return {
        index_name: name,
        rows: built.rows,
        size_bytes: Number(built.index.sizeBytes),
        size_bytes_before: Number(index.sizeBytes),
        build_ms: built.buildMs,
        ...(tuning && { recall: tuning.point.recall, effort: tuning.point.effort, met_target: tuning.met }),
      };
    },
    // What a REINDEX leaves is invalid, has a name of PostgreSQL's own, and is removed with all that is left behind.
    cleanUp: () => Promise.resolve(),
  };
}

/** Drops an index, whose ever it is: it was asked for by its name. Its spec: { index_name }. */
export function dropIndexHandler(
  deps: Pick<IndexOperationDeps, "collections" | "indexes">,
): OperationHandler {
  return {
    kind: "index-drop",
    async run(context) {
      const { operation, signal } = context;
      const phase = phasesOf(context, ["drop"]);
      const collection = await deps.collections.get(operation.subject);
      const name = String(operation.spec["index_name"]);
      phase("drop");
      await deps.indexes.drop(collection, name, signal);
      return { index_name: name };
    },
    // Half a drop is an index that no search uses: the next drop, or the removal of leftovers, ends it.
    cleanUp: () => Promise.resolve(),
  };
}

/** @throws KindredError not-found */
export async function namedIndex(
  { indexes }: Pick<IndexOperationDeps, "indexes">,
  collection: Collection,
  name: string,
  limits: CallLimits,
): Promise<KnownIndex> {
  const found = (await indexes.list(collection, limits)).find((index) => index.name === name);
  if (found) return found;
  throw new KindredError(
    "not-found",
    `the collection ${collection.name} has no index ${JSON.stringify(name)}`,
  );
}

/** Undefined where the planner knows nothing of such an index: then it is built with what the server gives. */
async function memoryFor(
  { planner }: IndexOperationDeps,
  collection: Collection,
  index: KnownIndex,
  limits: CallLimits,
): Promise<number | undefined> {
  if (!index.searchable) return undefined;
  const { recallTarget } = collection;
  const options = { recallTarget, rows: undefined, calibrate: false };
  const { chosen, alternatives } = await planner.plan(collection, wishOf(index), options, limits);
  return (chosen ?? alternatives[0])?.buildMemoryBytes;
}

/** What would have to be wished for to get such an index. */
export function wishOf({ method, quantization, metric, parameters }: KnownIndex): IndexWish {
  const of = (wanted: KnownIndex["method"], name: string): number | undefined =>
    method === wanted && Number(parameters[name]) > 0 ? Number(parameters[name]) : undefined;
  return {
    method,
    quantization,
    // A binary quantised one serves every metric.
    metric: quantization === "binary" ? undefined : metric,
    m: of("hnsw", "m"),
    efConstruction: of("hnsw", "ef_construction"),
    lists: of("ivfflat", "lists"),
    numNeighbors: of("diskann", "num_neighbors"),
    searchListSize: of("diskann", "search_list_size"),
  };
}
