import { setTimeout as sleep } from "node:timers/promises";
import { isKindredError, KindredError } from "@kindred/errors";
import { vectorBytes, type Collection } from "../collection.ts";
import { parseSpaceId, type EmbeddingSpace } from "../embedding-space.ts";
import type { JsonObject } from "../image.ts";
import type { IndexBuilding, IndexPlanner, RecallTuner } from "../indexes/index-ports.ts";
import type { CollectionRepository, ItemSearch, ItemStore } from "../item-ports.ts";
import type { OperationContext, OperationHandler, OperationProgress } from "../operations/operation.ts";
import type { PackedVector } from "../packed-vector.ts";
import type { EmbeddingPort } from "../ports.ts";
import { retryAborted } from "../retry-aborted.ts";
import { destinationOf, originOf } from "./destination.ts";
import { buildIndexes } from "./move-indexes.ts";
import type { MovedIndex, SpaceMove, SpaceMoves } from "./reembedding-ports.ts";
import { requireSameVectors } from "./same-vectors.ts";
import { textlessError } from "./textless-error.ts";

export interface ReembedDeps {
  collections: Pick<CollectionRepository, "get" | "forget">;
  moves: SpaceMoves;
  embedding: Pick<EmbeddingPort, "embed" | "spaceOf">;
  items: Pick<ItemStore, "refreshStatistics">;
  search: Pick<ItemSearch, "state">;
  planner: IndexPlanner;
  building: IndexBuilding;
  tuner: RecallTuner;
  /** Searches that began before the cut-over end within this time, in milliseconds. */
  graceMs?: number;
}

const PHASES = ["prepare", "backfill", "catch up", "index", "validate", "cut over", "drop"] as const;
type Phase = (typeof PHASES)[number];

/** Items that are read, embedded and written together. */
const PAGE_ROWS = 512;
/** Changes that writers wait for at the cut-over, at most. */
const MOST_CHANGES = 500;
/** … which are not waited for longer than this. */
const LAST_EMBED_MS = 5000;
const BUSY_PAUSE_MS = 300;
const GRACE_MS = 15_000;
const SAMPLED_ITEMS = 20;

/** What is written down of a move, besides where it goes. */
interface Progress {
  /** The last key of the backfill; undefined before the first page. */
  afterKey: string | undefined;
  filled: number;
  backfilled: boolean;
}

/**
 * Moves a collection into another embedding space: an item's text is embedded again into a table beside the one that searches use, while a
 * log of the database's own takes down what changes; then the tables are exchanged. See docs/adr/0025.
 */
export function reembedHandler(deps: ReembedDeps): OperationHandler {
  return {
    kind: "reembedding",
    run: async (context) => {
      const { move, done } = await openMove(deps, context);
      if (done) return await drop(deps, context, move);
      const run = new Reembedding(deps, context, move);
      await run.untilCutOver();
      return await drop(deps, context, move);
    },
    async cleanUp(context) {
      const opened = await openMove(deps, context).catch((error: unknown) => {
        // What was made for a collection goes with it.
        if (isKindredError(error) && error.kind === "not-found") return undefined;
        throw error;
      });
      if (!opened) return;
      const { move, done } = opened;
      await (done ? deps.moves.finish(move, context.signal) : deps.moves.undo(move, context.signal));
    },
  };
}

/** The move as the operation and the database say it; `done` when its cut-over was. */
async function openMove(
  { collections }: Pick<ReembedDeps, "collections">,
  { operation, checkpoint }: OperationContext,
): Promise<{ move: SpaceMove; done: boolean }> {
  const target = parseSpaceId(String(operation.spec["space_id"]));
  if (!target) throw new TypeError("the operation does not say which space");
  collections.forget();
  const now = await collections.get(operation.subject);
  const began = operation.checkpoint["from"] as { table: string; space_id: string } | undefined;
  const done = began !== undefined && now.space?.id === target.id;
  if (!began && now.space?.id === target.id) {
    throw new KindredError(
      "failed-precondition",
      `${JSON.stringify(now.name)} is in the embedding space ${JSON.stringify(target.id)} already`,
    );
  }
  const { schema } = now.layout.vectors;
  const from = done ? originOf(now, { schema, name: began.table }, parseSpaceId(began.space_id)) : now;
  if (!began) {
    const { name } = now.layout.vectors;
    await checkpoint({ from: { table: name, space_id: now.space?.id ?? "" } });
  }
  return { move: { operation, from, to: destinationOf(from, target) }, done };
}

/** Everything that is before the cut-over, and the cut-over itself. */
class Reembedding {
  readonly #deps: ReembedDeps;
  readonly #context: OperationContext;
  readonly #move: SpaceMove;
  readonly #progress: Progress;
  readonly #began: JsonObject;

  constructor(deps: ReembedDeps, context: OperationContext, move: SpaceMove) {
    this.#deps = deps;
    this.#context = context;
    this.#move = move;
    const { checkpoint } = context.operation;
    this.#began = { from: { table: move.from.layout.vectors.name, space_id: move.from.space?.id ?? "" } };
    this.#progress = {
      afterKey: checkpoint["after_key"] as string | undefined,
      filled: Number(checkpoint["filled"] ?? 0),
      backfilled: checkpoint["backfilled"] === true,
    };
  }

  async untilCutOver(): Promise<void> {
    const { moves } = this.#deps;
    const { signal } = this.#context;
    const move = this.#move;
    this.#report("prepare");
    await moves.prepare(move, signal);
    await this.#backfill();
    await this.#catchUp();
    await this.#deps.items.refreshStatistics(move.to);
    this.#report("index");
    const indexes = await buildIndexes(this.#deps, move, {
      signal,
      note: (text) => this.#context.note(text),
      report: ({ detail, done, total, unit }) =>
        this.#report("index", { phase: `index: ${detail}`, done, total, unit }),
    });
    await this.#catchUp("validate");
    await this.#validate(indexes);
    await this.#cutOver(indexes);
  }

  async #backfill(): Promise<void> {
    const { moves, search } = this.#deps;
    const { signal } = this.#context;
    const progress = this.#progress;
    const total = (await search.state(this.#move.from)).estimatedRows;
    while (!progress.backfilled) {
      signal.throwIfAborted();
      this.#report("backfill", {
        done: progress.filled,
        total: Math.max(total, progress.filled),
        unit: "rows",
      });
      const page = await moves.page(this.#move, progress.afterKey, PAGE_ROWS, signal);
      const textless = page.flatMap(({ key, text }) => (text === undefined ? [key] : []));
      const vectors = await this.#embedItems(page);
      await retryAborted(() => moves.write(this.#move, { vectors, textless }, signal));
      progress.filled += page.length;
      progress.afterKey = page.at(-1)?.key ?? progress.afterKey;
      progress.backfilled = page.length < PAGE_ROWS;
      await this.#checkpoint();
    }
  }

  /** Until hardly anything is left on the log: what comes meanwhile is less each time, unless writers are faster than the model. */
  async #catchUp(phase: Phase = "catch up"): Promise<void> {
    let [done, moved] = [0, Infinity];
    this.#report(phase);
    while (moved > MOST_CHANGES / 2) {
      moved = await this.#settleLog((settled) => {
        done += settled;
        this.#report(phase, { done, total: 0, unit: "changes" });
      });
    }
  }

  /** Once through the log. @returns how many changes were taken off it */
  async #settleLog(onSettled: (changes: number) => void): Promise<number> {
    const { moves } = this.#deps;
    const { signal } = this.#context;
    let [afterId, moved] = [0n, 0];
    for (;;) {
      signal.throwIfAborted();
      const changes = await moves.changes(this.#move, afterId, PAGE_ROWS, signal);
      const last = changes.ids.at(-1);
      if (last === undefined) return moved;
      // Read after the log: they are at least as new as what it says.
      const items = await moves.texts(this.#move, changes.keys, signal);
      const vectors = await this.#embedItems(items);
      await retryAborted(() => moves.settle(this.#move, changes, vectors, signal));
      const kept = items.length - vectors.length;
      moved += Math.max(0, changes.ids.length - kept);
      onSettled(changes.ids.length);
      afterId = last;
    }
  }

  async #validate(indexes: readonly MovedIndex[]): Promise<void> {
    const { moves } = this.#deps;
    const { signal } = this.#context;
    const move = this.#move;
    this.#report("validate");
    const textless = await moves.textless(move.from, { signal });
    if (textless.count > 0) throw textlessError(move.from.name, textless);
    const differing = await moves.differences(move, signal);
    if (differing.length > 0) {
      throw new KindredError(
        "internal",
        `the new table and the old one have not the same items, e.g. ${differing.map((key) => JSON.stringify(key)).join(", ")}`,
      );
    }
    const sample = await moves.sample(move, SAMPLED_ITEMS, signal);
    const vectors = await this.#embed(
      sample.map(({ text }) => text as string),
      { priority: "bulk" },
    );
    requireSameVectors(sample, vectors);
    for (const { name } of indexes) {
      if (await moves.canScan(move, name, signal)) continue;
      throw new KindredError("internal", `searches of the new table would not use the index ${name}`);
    }
  }

  async #cutOver(indexes: readonly MovedIndex[]): Promise<void> {
    const { moves } = this.#deps;
    const { signal } = this.#context;
    const embed = (texts: readonly string[]): Promise<PackedVector[]> =>
      this.#embed(texts, { priority: "interactive", timeoutMs: LAST_EMBED_MS });
    for (;;) {
      signal.throwIfAborted();
      await this.#catchUp("cut over");
      try {
        const outcome = await moves.cutOver(
          this.#move,
          { indexes, embed, mostChanges: MOST_CHANGES },
          signal,
        );
        if (outcome === "done") return;
      } catch (error) {
        signal.throwIfAborted();
        // The model is busy: writers do not wait for it.
        if (
          !isKindredError(error) ||
          !["resource-exhausted", "deadline-exceeded", "unavailable"].includes(error.kind)
        )
          throw error;
      }
      await sleep(BUSY_PAUSE_MS * (0.5 + Math.random()), undefined, { signal });
    }
  }

  async #embedItems(
    items: readonly { key: string; text: string | undefined }[],
  ): Promise<{ key: string; vector: PackedVector }[]> {
    const whole = items.filter(({ text }) => text !== undefined);
    const vectors = await this.#embed(
      whole.map(({ text }) => text as string),
      { priority: "bulk" },
    );
    return whole.map(({ key }, i) => ({ key, vector: vectors[i] as PackedVector }));
  }

  async #embed(
    texts: readonly string[],
    options: { priority: "bulk" | "interactive"; timeoutMs?: number },
  ): Promise<PackedVector[]> {
    if (texts.length === 0) return [];
    const { to } = this.#move;
    const { vectors } = await this.#deps.embedding.embed(texts, {
      ...options,
      signal: this.#context.signal,
      expectedSpaceId: to.space?.id,
    });
    const bytes = vectorBytes(to);
    return texts.map((_, i) => vectors.subarray(i * bytes, (i + 1) * bytes));
  }

  #report(phase: Phase, progress: Partial<OperationProgress> = {}): void {
    report(this.#context, phase, progress);
  }

  #checkpoint(): Promise<void> {
    const { afterKey, filled, backfilled } = this.#progress;
    return this.#context.checkpoint({
      ...this.#began,
      filled,
      backfilled,
      ...(afterKey !== undefined && { after_key: afterKey }),
    });
  }
}

function report(context: OperationContext, phase: Phase, progress: Partial<OperationProgress> = {}): void {
  context.report({
    phase,
    phaseNumber: PHASES.indexOf(phase) + 1,
    phaseCount: PHASES.length,
    done: 0,
    total: 0,
    unit: "",
    ...progress,
  });
}

/** The cut-over cannot be taken back: from here on a cancelled operation goes on to its end. */
async function drop(deps: ReembedDeps, context: OperationContext, move: SpaceMove): Promise<JsonObject> {
  const signal = unlessCancelled(context.signal);
  report(context, "drop");
  await sleep(deps.graceMs ?? GRACE_MS, undefined, { signal });
  await deps.moves.finish(move, signal);
  return resultOf(move.from, move.to.space);
}

function resultOf(from: Collection, space: EmbeddingSpace | undefined): JsonObject {
  return {
    space_id: space?.id ?? "",
    previous_space_id: from.space?.id ?? "",
    dimensions: space?.dimensions ?? 0,
    previous_dimensions: from.dimensions,
  };
}

/** Aborted as the other one is, but not by a cancellation. */
function unlessCancelled(signal: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const pass = (): void => {
    const { reason } = signal as { reason: unknown };
    if (!isKindredError(reason) || reason.kind !== "cancelled") controller.abort(reason);
  };
  if (signal.aborted) pass();
  else signal.addEventListener("abort", pass, { once: true });
  return controller.signal;
}
