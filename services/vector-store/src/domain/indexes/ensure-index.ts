import { isKindredError, KindredError } from "@kindred/errors";
import { COLLECTION } from "../collection.ts";
import type { CollectionRepository } from "../item-ports.ts";
import type { Operation, OperationStore } from "../operations/operation.ts";
import type { CallLimits } from "../ports.ts";
import { buildOperationSpec } from "./build-spec.ts";
import { indexName, isTemporary } from "./index-names.ts";
import { ANY_INDEX } from "./index-spec.ts";
import type { IndexUpkeep, KnownIndex } from "./index-upkeep.ts";

/** hnsw's m and ef_construction; undefined is "whatever a valid index has, else the default". */
export interface WantedGraph {
  m: number | undefined;
  efConstruction: number | undefined;
}

export interface EnsuredIndex {
  index: KnownIndex;
  /** Whether it was built now; then how long that took, in milliseconds. */
  built: boolean;
  buildTimeMs: number;
}

export interface EnsureIndexDeps {
  collections: Pick<CollectionRepository, "get">;
  indexes: Pick<IndexUpkeep, "list" | "removeLeftovers">;
  operations: Pick<OperationStore, "start" | "watch" | "cancel">;
  log: { warn(fields: object, message: string): void };
}

const DEFAULTS = { m: 16, efConstruction: 200 };
/** The caller waits for it. */
const TUNING_MS = 30_000;
const PLAIN = { method: "hnsw", quantization: "none", metric: "cosine" } as const;

/**
 * Makes sure of a valid HNSW index of the images' vectors: by an operation that the call waits for, and that a cancelled call cancels. An
 * index that does what is wanted is good enough, whose ever it is.
 * @throws KindredError aborted, with a retry delay, while another operation of the images runs; what the build failed with
 */
export async function ensureIndex(
  deps: EnsureIndexDeps,
  wanted: WantedGraph,
  left: () => CallLimits,
): Promise<EnsuredIndex> {
  const { indexes, operations } = deps;
  const collection = await deps.collections.get(COLLECTION);
  const own = indexName(collection.layout, PLAIN, collection.elementType);
  const known = await indexes.list(collection, left());
  const kept = goodEnough(known, wanted, own);
  if (kept) {
    const leftovers = known.some((index) => index.owned && (!index.valid || isTemporary(index.name)));
    if (leftovers) await indexes.removeLeftovers(collection, left().signal);
    return { index: kept, built: false, buildTimeMs: 0 };
  }
  const { id } = await operations.start(
    {
      kind: "index-build",
      subject: COLLECTION,
      spec: buildOperationSpec({
        wish: { ...ANY_INDEX, ...PLAIN, ...withDefaults(wanted) },
        indexName: undefined,
        keepOnMiss: true,
        keepOthers: true,
        tuningMs: TUNING_MS,
      }),
      automatic: false,
      requestId: undefined,
    },
    left(),
  );
  const ended = await followed(deps, id, left());
  const buildTimeMs = Number(ended.result?.["build_ms"] ?? 0);
  const name = ended.result?.["index_name"];
  const index = (await indexes.list(collection, left())).find((found) => found.name === name);
  if (!index) throw new KindredError("aborted", `somebody has dropped the index ${String(name)} meanwhile`);
  return { index, built: buildTimeMs > 0, buildTimeMs };
}

/** The operation at its end. */
async function followed(
  { operations, log }: EnsureIndexDeps,
  id: bigint,
  limits: CallLimits,
): Promise<Operation> {
  let last: Operation | undefined;
  try {
    for await (const operation of operations.watch(id, limits)) last = operation;
    limits.signal?.throwIfAborted();
  } catch (error) {
    if (!limits.signal?.aborted) throw error;
    // The operation may have ended at this very moment.
    operations
      .cancel(id, {})
      .catch((failure: unknown) =>
        log.warn({ err: failure, operation: String(id) }, "a build that nobody waits for was not cancelled"),
      );
    const { reason } = limits.signal;
    throw isKindredError(reason)
      ? reason
      : new KindredError("cancelled", "the caller gave up, and the index build was cancelled", {
          cause: reason,
        });
  }
  if (last?.state === "succeeded") return last;
  if (last?.failure) throw new KindredError(last.failure.kind, last.failure.message);
  if (last?.state === "cancelled")
    throw new KindredError("aborted", "somebody has cancelled the index build");
  throw new KindredError("unavailable", "the index build goes on, but nobody says any more how it stands");
}

/** The store's own before others. */
function goodEnough(
  known: readonly KnownIndex[],
  { m, efConstruction }: WantedGraph,
  own: string,
): KnownIndex | undefined {
  const good = known.filter(
    (index) =>
      index.valid &&
      !index.partial &&
      index.searchable &&
      !isTemporary(index.name) &&
      index.method === PLAIN.method &&
      index.quantization === PLAIN.quantization &&
      index.metric === PLAIN.metric &&
      (m === undefined || Number(index.parameters["m"]) === m) &&
      (efConstruction === undefined || Number(index.parameters["ef_construction"]) === efConstruction),
  );
  return good.find(({ name }) => name === own) ?? good[0];
}

function withDefaults({ m: wantedM, efConstruction }: WantedGraph): { m: number; efConstruction: number } {
  const m = wantedM ?? Math.min(DEFAULTS.m, Math.floor((efConstruction ?? Infinity) / 2));
  return { m, efConstruction: efConstruction ?? Math.max(DEFAULTS.efConstruction, 2 * m) };
}
