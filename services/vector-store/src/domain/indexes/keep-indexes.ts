import { isKindredError } from "@kindred/errors";
import type { Collection } from "../collection.ts";
import type { CollectionRepository } from "../item-ports.ts";
import type { NewOperation, Operation, OperationKind, OperationStore } from "../operations/operation.ts";
import type { MeasureRecall, MeasurementWish } from "../recall/measure-recall.ts";
import { DEFAULT_TUNING, tuningSpec } from "../recall/tuning-operation.ts";
import { buildOperationSpec } from "./build-spec.ts";
import { deadShare, isTuned, LEAST_ROWS, listDrift, staleTuning, wantsRebuildForDead } from "./drift.ts";
import { readCollectionState, type CollectionStateDeps } from "./index-advisor.ts";
import { isAutomatic, servingIndexes, type CollectionState } from "./index-advice.ts";
import { baseName } from "./index-names.ts";
import { ANY_INDEX, type IndexWish } from "./index-spec.ts";
import type { IndexUpkeep, KnownIndex } from "./index-upkeep.ts";

export interface KeepIndexesDeps extends CollectionStateDeps {
  collections: Pick<CollectionRepository, "list">;
  indexes: Pick<IndexUpkeep, "list" | "analyze">;
  operations: Pick<OperationStore, "start" | "list">;
  measureRecall: MeasureRecall;
  log: {
    info(fields: object, message: string): void;
    debug(fields: object, message: string): void;
  };
  /** Milliseconds since 1970. */
  now: () => number;
}

/** What a pass leaves to the next one. */
export interface KeptActivity {
  /** By collection: how often rows were changed until then, and since when there is something to be done. */
  seen: Map<string, { changes: number; wantedSince: number | undefined }>;
}

export function noActivity(): KeptActivity {
  return { seen: new Map() };
}

/** Whoever never pauses gets an index all the same; building goes on beside writing. */
const LONGEST_WAIT_MS = 10 * 60_000;
const MEASURE_EVERY_MS = 3_600_000;
/** At the effort that searches take for the collection's target. */
const MEASUREMENT: Omit<MeasurementWish, "indexName"> = {
  k: 10,
  effort: undefined,
  recallTarget: undefined,
  queries: 200,
  origin: "auto",
  selectivity: 1,
  maxMs: 30_000,
  confidence: 0.95,
};
/** After the first failure, the second, … */
const FIRST_RETRY_MS = 5 * 60_000;
const LONGEST_RETRY_MS = 24 * 3_600_000;
/** Of the latest operations of a collection, so many tell of failures. */
const REMEMBERED_OPERATIONS = 20;

/** What is to be done next for a collection; the rest comes with later passes. */
type Task =
  | { kind: "analyze" }
  | { kind: "measure"; index: KnownIndex }
  | { kind: "operation"; operation: NewOperation; why: string };

/**
 * Looks over all collections whose policy is automatic, and begins what is to be done: at most one operation at a time among all of them.
 * Replicas may do this at the same time: of two that begin the same, the database refuses one.
 * @returns the operation that was begun
 * @throws KindredError when the database cannot be reached
 */
export async function keepIndexes(
  deps: KeepIndexesDeps,
  activity: KeptActivity,
  signal: AbortSignal,
): Promise<Operation | undefined> {
  const active = await deps.operations.list(
    { subject: undefined, active: true, beforeId: undefined, limit: 100 },
    { signal },
  );
  const collections = await deps.collections.list();
  forgetOthers(activity, collections);
  for (const collection of collections) {
    signal.throwIfAborted();
    if (!isKept(collection) || active.some((each) => each.subject === collection.name)) continue;
    try {
      const begun = await keepCollection(deps, activity, collection, {
        free: !active.some(({ automatic }) => automatic),
        signal,
      });
      if (begun) return begun;
    } catch (error) {
      // Its table may be gone, or another replica was first: other collections are not to wait for it.
      if (signal.aborted || !isKindredError(error) || error.kind === "unavailable") throw error;
      deps.log.debug(
        { err: error, collection: collection.name },
        "indexes of a collection were not looked after",
      );
    }
  }
  return undefined;
}

function isKept({ indexPolicy, layout, reembeddingSpaceId }: Collection): boolean {
  return (
    indexPolicy.maintenance === "automatic" &&
    layout.vector.storage !== "json" &&
    reembeddingSpaceId === undefined
  );
}

function forgetOthers({ seen }: KeptActivity, collections: readonly Collection[]): void {
  for (const name of seen.keys())
    if (!collections.some((collection) => collection.name === name)) seen.delete(name);
}

async function keepCollection(
  deps: KeepIndexesDeps,
  activity: KeptActivity,
  collection: Collection,
  { free, signal }: { free: boolean; signal: AbortSignal },
): Promise<Operation | undefined> {
  const state = await readCollectionState(deps, collection, { signal });
  if (!isAutomatic(state)) return undefined;
  const now = deps.now();
  const task = nextTask(state, now);
  const paused = hasPaused(activity, state, { wanted: task !== undefined, now });
  if (!task || !paused) return undefined;
  switch (task.kind) {
    case "analyze":
      await deps.indexes.analyze(collection, signal);
      return undefined;
    case "measure":
      await deps.measureRecall(collection, { ...MEASUREMENT, indexName: task.index.name }, { signal });
      return undefined;
    case "operation":
      return free && (await mayRetry(deps, task.operation, signal))
        ? await begin(deps, task, signal)
        : undefined;
  }
}

/** Whether nobody has written since the last pass, or everybody has waited for long enough. Of the first pass nothing can be told. */
function hasPaused(
  { seen }: KeptActivity,
  { collection, table }: CollectionState,
  { wanted, now }: { wanted: boolean; now: number },
): boolean {
  const last = seen.get(collection.name);
  const wantedSince = wanted ? (last?.wantedSince ?? now) : undefined;
  seen.set(collection.name, { changes: table.changes, wantedSince });
  if (!last || wantedSince === undefined) return false;
  return last.changes === table.changes || now - wantedSince >= LONGEST_WAIT_MS;
}

/** What matters most comes first. */
function nextTask(state: CollectionState, now: number): Task | undefined {
  const { table } = state;
  if (!table.analyzed && table.rows >= LEAST_ROWS) return { kind: "analyze" };
  return buildTask(state) ?? rebuildTask(state) ?? tuningTask(state) ?? measuringTask(state, now);
}

function buildTask(state: CollectionState): Task | undefined {
  const { collection, table, minRows, indexes } = state;
  if (collection.indexPolicy.kind === "none" || table.rows < minRows) return undefined;
  if (servingIndexes(state).length > 0 || indexes.some(({ building }) => building)) return undefined;
  // Indexes of another metric stay: they may serve searches that ask for that.
  return build(state, ANY_INDEX, { indexName: undefined, why: "there is no index" });
}

function build(
  { collection }: CollectionState,
  wish: IndexWish,
  { indexName, why }: { indexName: string | undefined; why: string },
): Task {
  const request = { wish, indexName, keepOnMiss: false, keepOthers: true, tuningMs: undefined };
  const spec = buildOperationSpec(request);
  return operation(collection, "index-build", spec, why);
}

function operation(
  collection: Collection,
  kind: OperationKind,
  spec: NewOperation["spec"],
  why: string,
): Task {
  return {
    kind: "operation",
    operation: { kind, subject: collection.name, spec, automatic: true, requestId: undefined },
    why,
  };
}

/** Only what the store has built: what others built they may want as it is. */
function rebuildTask(state: CollectionState): Task | undefined {
  const share = deadShare(state);
  for (const index of servingIndexes(state).filter(({ owned }) => owned)) {
    const drift = listDrift(state, index);
    if (drift && drift.lists !== drift.wanted) {
      const { quantization, metric } = index;
      const wish = { ...ANY_INDEX, method: index.method, quantization, metric, lists: drift.wanted };
      const why = `${drift.lists} lists should be ${drift.wanted}`;
      return build(state, wish, { indexName: baseName(index.name), why });
    }
    const why = drift
      ? "there are twice as many rows as when it was built"
      : share !== undefined && wantsRebuildForDead(share, index)
        ? "half of its rows are dead"
        : undefined;
    if (why) return operation(state.collection, "index-rebuild", { index_name: index.name }, why);
  }
  return undefined;
}

function tuningTask(state: CollectionState): Task | undefined {
  if (state.table.rows < LEAST_ROWS) return undefined;
  for (const index of servingIndexes(state)) {
    const why = !isTuned(state, index)
      ? "nobody has tuned it"
      : staleTuning(state, index)
        ? "the number of rows is another than when it was tuned"
        : isBelowTarget(state, index)
          ? "recall is below the target"
          : undefined;
    if (!why) continue;
    const spec = tuningSpec({ indexName: index.name, ...DEFAULT_TUNING, origin: "auto" });
    return operation(state.collection, "recall-tuning", spec, why);
  }
  return undefined;
}

/** As far as the last measurement since the tuning tells. */
function isBelowTarget({ collection, measurements, curves }: CollectionState, { name }: KnownIndex): boolean {
  const [measured, tuned] = [measurements.get(name), curves.get(name)?.[0]];
  if (!measured || measured.upper >= collection.recallTarget) return false;
  return tuned === undefined || measured.measuredAt > tuned.tunedAt;
}

/** Again where rows have changed since, and not more often than each hour. */
function measuringTask(state: CollectionState, now: number): Task | undefined {
  const [index] = servingIndexes(state);
  if (!index || state.table.rows < LEAST_ROWS) return undefined;
  const [last, tuned] = [state.measurements.get(index.name), state.curves.get(index.name)?.[0]];
  const known = [
    last && { rows: last.rows, at: last.measuredAt },
    tuned && { rows: tuned.rows, at: tuned.tunedAt },
  ]
    .filter((each) => each !== undefined)
    .toSorted((a, b) => b.at.getTime() - a.at.getTime())[0];
  if (known && (known.rows === state.table.rows || now - known.at.getTime() < MEASURE_EVERY_MS))
    return undefined;
  return { kind: "measure", index };
}

/** What has failed is tried again after five minutes, then ten, up to a day. */
async function mayRetry(deps: KeepIndexesDeps, wanted: NewOperation, signal: AbortSignal): Promise<boolean> {
  const query = {
    subject: wanted.subject,
    active: false,
    beforeId: undefined,
    limit: REMEMBERED_OPERATIONS,
  };
  const earlier = (await deps.operations.list(query, { signal })).filter(
    ({ kind, automatic }) => automatic && kind === wanted.kind,
  );
  const success = earlier.findIndex(({ state }) => state !== "failed" && state !== "cancelled");
  const failures = success < 0 ? earlier : earlier.slice(0, success);
  const last = failures[0]?.finishedAt;
  if (!last) return true;
  const wait = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures.length - 1));
  return deps.now() - last.getTime() >= wait;
}

async function begin(
  { operations, log }: KeepIndexesDeps,
  { operation: wanted, why }: Task & { kind: "operation" },
  signal: AbortSignal,
): Promise<Operation> {
  const begun = await operations.start(wanted, { signal });
  log.info(
    { collection: wanted.subject, kind: wanted.kind, id: String(begun.id), why },
    "began an operation by itself",
  );
  return begun;
}
