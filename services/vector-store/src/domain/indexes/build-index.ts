import { KindredError } from "@kindred/errors";
import type { Collection } from "../collection.ts";
import type { JsonObject } from "../image.ts";
import type { CollectionRepository, ItemSearch } from "../item-ports.ts";
import type { OperationContext, OperationHandler } from "../operations/operation.ts";
import { forecastFromJson, forecastToJson, readBuildRequest, type BuildRequest } from "./build-spec.ts";
import { chooseIndexName } from "./choose-name.ts";
import { buildingName, retiredName } from "./index-names.ts";
import type { IndexBuilding, IndexForecast, IndexPlanner, RecallTuner, StepContext } from "./index-ports.ts";
import type { IndexUpkeep, KnownIndex } from "./index-upkeep.ts";
import { phasesOf } from "./operation-steps.ts";
import { tuneBuiltIndex, tuningText, type Tuning } from "./tune-built-index.ts";
import { indexUse } from "./validate-index.ts";

export interface IndexOperationDeps {
  collections: Pick<CollectionRepository, "get">;
  planner: IndexPlanner;
  indexes: IndexBuilding & IndexUpkeep;
  search: Pick<ItemSearch, "explain">;
  tuner: RecallTuner;
  /** Longest time for tuning an index, in milliseconds; undefined: DEFAULT_TUNING_MS. */
  tuningMs?: number | undefined;
}

const PHASES = ["plan", "preflight", "build", "analyze", "validate", "tune", "swap", "drop"] as const;

/** What is decided once, so that whoever goes on builds the same; and what came of the steps that are done. */
interface Checkpoint {
  index_name: string;
  forecast: IndexForecast;
  built: { oid: number; rows: number; sizeBytes: number; buildMs: number } | undefined;
  /** Whether the index serves under its name. */
  swapped: boolean;
  tuning: { met: boolean; effort: number; recall: number } | undefined;
}

/** One try at one build. */
interface Build {
  deps: IndexOperationDeps;
  context: OperationContext;
  collection: Collection;
  request: BuildRequest;
  phase: (name: (typeof PHASES)[number]) => StepContext;
  state: Checkpoint;
}

/**
 * Builds an index under a name of its own, and lets it take its place once it is known to be good; searches are served by what there was
 * until then.
 */
export function buildIndexHandler(deps: IndexOperationDeps): OperationHandler {
  return {
    kind: "index-build",
    async run(context) {
      const { operation } = context;
      const collection = await deps.collections.get(operation.subject);
      const request = readBuildRequest(operation.spec);
      const phase = phasesOf(context, PHASES);
      const state = readCheckpoint(operation.checkpoint) ?? (await plan(deps, context, collection, request));
      return await build({ deps, context, collection, request, phase, state });
    },
    async cleanUp({ operation, signal }) {
      const state = readCheckpoint(operation.checkpoint);
      if (!state) return;
      const collection = await deps.collections.get(operation.subject);
      // Once it serves it stays, whatever becomes of the steps after that.
      await deps.indexes.drop(collection, buildingName(state.index_name), signal);
      if (state.swapped) await deps.indexes.drop(collection, retiredName(state.index_name), signal);
    },
  };
}

async function plan(
  deps: IndexOperationDeps,
  context: OperationContext,
  collection: Collection,
  { wish, indexName }: BuildRequest,
): Promise<Checkpoint> {
  const { signal } = context;
  phasesOf(context, PHASES)("plan");
  const { recallTarget } = collection;
  const options = { recallTarget, rows: undefined, calibrate: false };
  const { chosen, alternatives, reasons } = await deps.planner.plan(collection, wish, options, { signal });
  // Whoever asks for an index gets one, also where the store would have none by itself.
  const forecast = chosen ?? alternatives[0];
  if (!forecast)
    throw new KindredError("failed-precondition", `no index can be built: ${reasons.join("; ")}`);
  phasesOf(context, PHASES)("preflight");
  const checks = await deps.indexes.preflight(collection, forecast, { signal });
  const failed = checks.filter(({ outcome }) => outcome === "failed");
  if (failed.length > 0) {
    const found = failed.map(({ name, message }) => `${name}: ${message}`).join("; ");
    throw new KindredError("failed-precondition", `the index cannot be built: ${found}`);
  }
  for (const { name, message, outcome } of checks)
    if (outcome === "warning") context.note(`${name}: ${message}`);
  noteFewerLists(context, forecast, wish.lists ?? collection.indexPolicy.lists);
  const state: Checkpoint = {
    index_name: await chooseIndexName(deps.indexes, collection, forecast.spec, indexName, { signal }),
    forecast,
    built: undefined,
    swapped: false,
    tuning: undefined,
  };
  await context.checkpoint(checkpointJson(state));
  return state;
}

/** Whoever has named a number of lists is told where there are fewer. */
function noteFewerLists(
  { note }: OperationContext,
  { spec }: IndexForecast,
  asked: number | undefined,
): void {
  if (spec.method !== "ivfflat" || asked === undefined || spec.lists >= asked) return;
  note(
    `${spec.lists} lists and not ${asked}: k-means of more takes more memory than a build may have (INDEX_BUILD_MEMORY)`,
  );
}

async function build(work: Build): Promise<JsonObject> {
  const { deps, collection, state, phase, context } = work;
  const { indexes } = deps;
  const name = buildingName(state.index_name);
  if (!state.swapped && state.built) {
    // It may have been renamed just before its process ended.
    const { oid } = state.built;
    const known = await indexes.list(collection, { signal: context.signal });
    state.swapped = known.some((index) => index.oid === oid && index.name === state.index_name);
  }
  if (!state.swapped) {
    const step = phase("build");
    const built = await indexes.build(collection, state.forecast.spec, name, state.forecast, step);
    // What was built before a crash took the time that it took then.
    const before = state.built?.oid === built.index.oid ? state.built : undefined;
    state.built = {
      oid: built.index.oid,
      rows: built.rows,
      sizeBytes: Number(built.index.sizeBytes),
      buildMs: before?.buildMs ?? built.buildMs,
    };
    await context.checkpoint(checkpointJson(state));
    phase("analyze");
    await indexes.analyze(collection, step.signal);
  }
  const validated = state.swapped ? false : await validate(work, name);
  if (validated) await tune(work, name);
  await swap(work);
  await dropOthers(work);
  if (!validated) {
    await validate(work, state.index_name);
    if (!state.tuning) await tune(work, state.index_name);
  }
  return resultOf(work);
}

/** @returns whether the planner uses the index, so that its recall can be measured while the one that it replaces is still there */
async function validate(work: Build, name: string): Promise<boolean> {
  const { deps, collection, state, context } = work;
  const step = work.phase("validate");
  const index = await present(work, name);
  const { metric } = state.forecast.spec;
  const use = await indexUse(deps, collection, index, metric, { signal: step.signal });
  if (use.used) return true;
  if (use.instead !== undefined && !state.swapped) {
    context.note(
      `PostgreSQL prefers ${use.instead}, which serves the same searches: the new index is validated when it has taken its place`,
    );
    return false;
  }
  context.note(
    use.instead === undefined
      ? "PostgreSQL would not scan the index yet: so few rows are compared faster"
      : `PostgreSQL prefers ${use.instead}, which serves the same searches: drop it for this one to be used`,
  );
  return false;
}

/** @throws KindredError failed-precondition when the target is missed, and there is an index to go on with instead */
async function tune(work: Build, name: string): Promise<void> {
  const { deps, collection, request, state, context } = work;
  const tuning = await tuneBuiltIndex(deps, collection, name, request.tuningMs, work.phase("tune"));
  if (!tuning) return;
  const { effort, recall } = tuning.point;
  if (!tuning.met) await missed(work, name, tuning);
  state.tuning = { met: tuning.met, effort, recall };
  await context.checkpoint(checkpointJson(state));
}

async function missed(work: Build, name: string, tuning: Tuning): Promise<void> {
  const { deps, collection, request, state, context } = work;
  const found = `the index misses the recall target of ${collection.recallTarget}: ${tuningText(tuning)}`;
  const others = await deps.indexes.list(collection, { signal: context.signal });
  const serving = others.find((other) => other.name !== name && serves(other, state.forecast));
  if (serving && !request.keepOnMiss && !state.swapped) {
    await deps.indexes.drop(collection, name, context.signal);
    throw new KindredError(
      "failed-precondition",
      `${found}; ${serving.name} serves as before. Build it with larger parameters, or with keep_on_miss`,
    );
  }
  context.note(`${found}; it is kept`);
}

function serves(index: KnownIndex, { spec }: IndexForecast): boolean {
  const metric = index.quantization === "binary" || index.metric === spec.metric;
  return index.valid && !index.partial && index.searchable && metric;
}

async function swap(work: Build): Promise<void> {
  const { deps, collection, state, context } = work;
  if (state.swapped) return;
  const { signal } = work.phase("swap");
  const [from, to, retired] = [
    buildingName(state.index_name),
    state.index_name,
    retiredName(state.index_name),
  ];
  await deps.indexes.drop(collection, retired, signal);
  await deps.indexes.swap(collection, { from, to, retired }, signal);
  state.swapped = true;
  await context.checkpoint(checkpointJson(state));
}

/** The one whose place it has taken, and other indexes of the store's that served the same searches. */
async function dropOthers(work: Build): Promise<void> {
  const { deps, collection, request, state } = work;
  const step = work.phase("drop");
  await deps.indexes.drop(collection, retiredName(state.index_name), step.signal);
  if (request.keepOthers) return;
  for (const other of await deps.indexes.list(collection, { signal: step.signal })) {
    if (other.name === state.index_name || !other.owned || !serves(other, state.forecast)) continue;
    await deps.indexes.drop(collection, other.name, step.signal);
    step.note(`dropped ${other.name}, whose place ${state.index_name} has taken`);
  }
}

async function present(work: Build, name: string): Promise<KnownIndex> {
  const { deps, collection, context } = work;
  const indexes = await deps.indexes.list(collection, { signal: context.signal });
  const found = indexes.find((index) => index.name === name);
  if (!found) throw new KindredError("aborted", `somebody has dropped the index ${name} meanwhile`);
  return found;
}

function resultOf({ state, collection }: Build): JsonObject {
  const { built, tuning, forecast } = state;
  return {
    index_name: state.index_name,
    rows: built?.rows ?? 0,
    size_bytes: built?.sizeBytes ?? 0,
    build_ms: built?.buildMs ?? 0,
    predicted_size_bytes: forecast.sizeBytes,
    predicted_build_ms: forecast.buildMs,
    recall_target: collection.recallTarget,
    ...(tuning && { recall: tuning.recall, effort: tuning.effort, met_target: tuning.met }),
  };
}

function checkpointJson({ index_name, forecast, built, swapped, tuning }: Checkpoint): JsonObject {
  return {
    index_name,
    forecast: forecastToJson(forecast),
    swapped,
    ...(built && {
      built: { oid: built.oid, rows: built.rows, size_bytes: built.sizeBytes, build_ms: built.buildMs },
    }),
    ...(tuning && { tuning: { ...tuning } }),
  };
}

/** Undefined before there is one. */
function readCheckpoint(json: JsonObject): Checkpoint | undefined {
  const {
    index_name: name,
    forecast,
    built,
    tuning,
  } = json as Record<string, JsonObject> & {
    index_name?: string;
  };
  if (name === undefined || !forecast) return undefined;
  return {
    index_name: name,
    forecast: forecastFromJson(forecast),
    built: built && {
      oid: Number(built["oid"]),
      rows: Number(built["rows"]),
      sizeBytes: Number(built["size_bytes"]),
      buildMs: Number(built["build_ms"]),
    },
    swapped: json["swapped"] === true,
    tuning: tuning && {
      met: tuning["met"] === true,
      effort: Number(tuning["effort"]),
      recall: Number(tuning["recall"]),
    },
  };
}
