import { setTimeout as sleep } from "node:timers/promises";
import { isKindredError, KindredError } from "@kindred/errors";
import type { Prompt, PromptCollection } from "../prompts/prompt-collection.ts";
import { asKindredError, deliver, type Delivery } from "./deliver.ts";
import type { Claim, Outbox } from "./outbox.ts";

const DEFAULTS = {
  /** How long what it has claimed is its own. */
  leaseMs: 45_000,
  /** When it begins no more calls for a claim: the last of them is over well before the lease is, also where this process is killed meanwhile. */
  workMs: 20_000,
  callTimeoutMs: 20_000,
  /** Embedded in one call; searches that come meanwhile wait for no more than these. */
  maxBatch: 64,
  maxBytes: 2 * 2 ** 20,
  /** Pause after the first trouble; doubles with each further one. */
  troubleMs: 250,
  mostTroubleMs: 30_000,
  /** What was under way in a trouble is left alone for so much longer than the worker pauses: else it would be the others' trouble again. */
  turnMs: 1000,
  /** Until one that failed is tried again; doubles with each failure. */
  setbackMs: 1000,
  mostSetbackMs: 300_000,
  /** Failures over one prompt alone, while others go through, before it is set aside. */
  mostFailures: 8,
};

const NOTHING = { taken: [], refused: [], failed: [] };

/** Hears what becomes of generations. */
export interface OutboxObserver {
  told(outcome: "stored" | "removed" | "failed" | "set-aside", count: number): void;
}

export interface OutboxWorkerDeps {
  outbox: Outbox;
  collection: PromptCollection;
  /** How often it looks for more, in milliseconds. */
  everyMs: number;
  observer: OutboxObserver;
  log: {
    info(fields: object, message: string): void;
    warn(fields: object, message: string): void;
  };
  /** For tests. */
  times?: Partial<typeof DEFAULTS>;
  now?: () => number;
}

/**
 * Tells the vector store of the generations in the outbox, a batch at a time, as long as it is there; any number of processes may have one over
 * the same database. While the vector store is away it tries with ever smaller batches and longer pauses: should a prompt be what brings it
 * down, it is alone in the end, and the others get their turns. Disposing of it waits for what was begun, and keeps nothing.
 */
export class OutboxWorker implements AsyncDisposable {
  readonly #deps: OutboxWorkerDeps;
  readonly #times: typeof DEFAULTS;
  readonly #now: () => number;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #batch: number;
  /** In a row. */
  #troubles = 0;
  #rebuild = false;

  constructor(deps: OutboxWorkerDeps) {
    this.#deps = deps;
    this.#times = { ...DEFAULTS, ...deps.times };
    this.#now = deps.now ?? (() => performance.now());
    this.#batch = this.#times.maxBatch;
    this.#running = this.#run(this.#closing.signal);
  }

  /** Somebody found that there is no collection: it is made, and filled, also when nothing is waiting. */
  collectionIsMissing(): void {
    this.#rebuild = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let pauseMs: number;
      try {
        pauseMs = await this.#step(signal);
      } catch (error) {
        pauseMs = this.#troubled(error, signal);
      }
      if (pauseMs > 0) await pause(pauseMs, signal);
    }
  }

  /** @returns how long to wait before the next one, in milliseconds */
  async #step(signal: AbortSignal): Promise<number> {
    const { outbox, everyMs } = this.#deps;
    const until = this.#now() + this.#times.workMs;
    if (this.#rebuild) await this.#makeCollection(signal);
    const limit = this.#batch;
    const claim = await outbox.claim(limit, this.#times.leaseMs);
    // That is no sign that what was put off goes through: batches stay as small as they were.
    if (!claim) return everyMs;
    const { prompts, gone } = await outbox.read(claim.generationIds, this.#times.maxBytes);
    const unread = except(claim.generationIds, [...gone, ...prompts.map(({ generationId }) => generationId)]);
    await outbox.putOff(claim, unread, 0);

    const removing = await this.#remove(gone, signal);
    const delivery = removing
      ? { ...NOTHING, left: prompts.map(({ generationId }) => generationId), trouble: removing }
      : await this.#deliver(prompts, until, signal);
    if (!removing) await this.#finish(claim, gone, "removed");

    const stuck = delivery.taken.length === 0 ? delivery.failed[0] : undefined;
    const trouble = delivery.trouble ?? (stuck && new KindredError("internal", stuck.error));
    const pauseMs = trouble ? this.#troubled(trouble, signal) : undefined;
    await outbox.putOff(
      claim,
      [...delivery.left, ...(removing ? gone : [])],
      pauseMs === undefined ? 0 : 1.5 * pauseMs + this.#times.turnMs,
    );
    await this.#note(claim, delivery);
    if (pauseMs !== undefined) return pauseMs;
    this.#recovered();
    const more = claim.generationIds.length === limit || unread.length > 0 || delivery.left.length > 0;
    return more ? 0 : everyMs;
  }

  /** @returns why they could not be removed */
  async #remove(gone: readonly bigint[], signal: AbortSignal): Promise<KindredError | undefined> {
    if (gone.length === 0) return undefined;
    try {
      await this.#deps.collection.remove(gone, this.#limits(signal));
    } catch (error) {
      // Without a collection there is nothing to remove.
      if (!isNotFound(error)) return asKindredError(error);
    }
    return undefined;
  }

  async #deliver(prompts: readonly Prompt[], until: number, signal: AbortSignal): Promise<Delivery> {
    const { collection } = this.#deps;
    const options = { until, signal, callTimeoutMs: this.#times.callTimeoutMs };
    const delivery = await deliver({ collection, now: this.#now }, prompts, options);
    if (!isNotFound(delivery.trouble) || signal.aborted) return delivery;
    try {
      await this.#makeCollection(signal);
    } catch (error) {
      return { ...delivery, trouble: asKindredError(error) };
    }
    const left = new Set(delivery.left);
    const again = await deliver(
      { collection, now: this.#now },
      prompts.filter(({ generationId }) => left.has(generationId)),
      options,
    );
    return {
      ...again,
      taken: [...delivery.taken, ...again.taken],
      refused: [...delivery.refused, ...again.refused],
      failed: [...delivery.failed, ...again.failed],
    };
  }

  /** What the old collection had is noted before there is a new one: whoever is killed in between leaves nothing out. */
  async #makeCollection(signal: AbortSignal): Promise<void> {
    const { outbox, collection, log } = this.#deps;
    await outbox.enqueueAll(signal);
    if (signal.aborted) return;
    await collection.create(this.#limits(signal));
    this.#rebuild = false;
    log.info({}, "the collection of prompts was made; all prompts are added to it");
  }

  async #note(claim: Claim, { taken, refused, failed }: Delivery): Promise<void> {
    const { outbox, observer } = this.#deps;
    const { setbackMs, mostSetbackMs, mostFailures } = this.#times;
    await this.#finish(claim, taken, "stored");
    const policy = { firstMs: setbackMs, mostMs: mostSetbackMs };
    if (refused.length > 0) {
      await outbox.setBack(claim, refused, { ...policy, most: 1 });
      observer.told("set-aside", refused.length);
    }
    if (failed.length > 0) {
      // Where nothing goes through, it is hardly for this one.
      const most = taken.length > 0 ? mostFailures : undefined;
      const setAside = await outbox.setBack(claim, failed, { ...policy, most });
      observer.told("set-aside", setAside);
      observer.told("failed", failed.length - setAside);
    }
    const worst = refused[0] ?? failed[0];
    if (worst) {
      this.#deps.log.warn(
        {
          generation: String(worst.generationId),
          reason: worst.error,
          count: refused.length + failed.length,
        },
        "prompts were not taken by the vector store",
      );
    }
  }

  async #finish(claim: Claim, ids: readonly bigint[], outcome: "stored" | "removed"): Promise<void> {
    if (ids.length === 0) return;
    await this.#deps.outbox.done(claim, ids);
    this.#deps.observer.told(outcome, ids.length);
  }

  #limits(signal: AbortSignal): { signal: AbortSignal; timeoutMs: number } {
    return { signal, timeoutMs: this.#times.callTimeoutMs };
  }

  #recovered(): void {
    if (this.#troubles > 1) this.#deps.log.info({}, "prompts are added to the vector store again");
    this.#troubles = 0;
    this.#batch = Math.min(this.#times.maxBatch, this.#batch * 2);
  }

  /** @returns how long to wait, in milliseconds */
  #troubled(error: unknown, signal: AbortSignal): number {
    if (signal.aborted) return 0;
    this.#troubles += 1;
    this.#batch = Math.max(1, this.#batch >> 1);
    // Services start side by side: one that is not there at the first try is nothing to report.
    if (this.#troubles === 2)
      this.#deps.log.warn({ err: error }, "prompts cannot be added to the vector store for now; they wait");
    const asked = isKindredError(error) ? (error.retryAfterMs ?? 0) : 0;
    const { troubleMs, mostTroubleMs } = this.#times;
    const mostMs = Math.min(mostTroubleMs, troubleMs * 2 ** Math.min(this.#troubles - 1, 30));
    // A random half of it: replicas that had the same trouble come back one by one.
    return Math.max(asked, mostMs * (0.5 + Math.random() / 2));
  }
}

function except(all: readonly bigint[], some: readonly bigint[]): bigint[] {
  const known = new Set(some);
  return all.filter((id) => !known.has(id));
}

function isNotFound(error: unknown): boolean {
  return isKindredError(error) && error.kind === "not-found";
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal, ref: false });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
