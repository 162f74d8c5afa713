import type { OperationClaims, Outcome } from "./operation-claims.ts";
import { OperationRun, type RunnerLog, type RunnerTimes } from "./operation-run.ts";
import type { OperationHandler, OperationTerms } from "./operation.ts";
import { pause } from "./pause.ts";

/** Of what a process does at the same time; most of it is work of the database, and waiting for it. */
const MOST_AT_A_TIME = 4;

const TIMES: RunnerTimes & { lookEvery: number; closing: number } = {
  lease: 15_000,
  renewEvery: 5000,
  sayEvery: 500,
  backoff: 500,
  lookEvery: 2000,
  closing: 10_000,
};

/** Hears of the operations of this process. */
export interface RunnerObserver<Kind extends string = string> {
  begun(kind: Kind): void;
  /** `state` is undefined where somebody else goes on. */
  left(kind: Kind, state: Outcome["state"] | undefined): void;
}

export interface RunnerDeps<Kind extends string = string> {
  terms: OperationTerms<Kind>;
  claims: OperationClaims<Kind>;
  handlers: readonly OperationHandler<Kind>[];
  log: RunnerLog;
  observer?: RunnerObserver<Kind> | undefined;
  /** For tests. */
  times?: Partial<typeof TIMES> | undefined;
  now?: () => number;
}

/**
 * Does the operations that its handlers are for, some at a time, as long as it is there. Any number of processes may have one over the same
 * database: each operation is done by one at a time. Disposing of it interrupts what it does and hands it back.
 */
export class OperationRunner<Kind extends string = string> implements AsyncDisposable {
  readonly #deps: RunnerDeps<Kind>;
  readonly #times: typeof TIMES;
  readonly #now: () => number;
  readonly #handlers: ReadonlyMap<Kind, OperationHandler<Kind>>;
  readonly #running = new Map<OperationRun<Kind>, Promise<void>>();
  readonly #closing = new AbortController();
  readonly #looking: Promise<void>;
  #wake = new AbortController();

  constructor(deps: RunnerDeps<Kind>) {
    this.#deps = deps;
    this.#times = { ...TIMES, ...deps.times };
    this.#now = deps.now ?? (() => performance.now());
    this.#handlers = new Map(deps.handlers.map((handler) => [handler.kind, handler]));
    this.#looking = this.#handlers.size === 0 ? Promise.resolve() : this.#keepLooking();
  }

  /** What is queued is begun at once, and what is cancelled ends at once, if this is told. @param id undefined: any operation */
  wanted(id: bigint | undefined): void {
    const own = [...this.#running.keys()].filter((run) => id === undefined || run.id === id);
    for (const run of own) run.look();
    if (own.length === 0 || id === undefined) this.#wake.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#wake.abort();
    await this.#looking;
    for (const run of this.#running.keys()) run.close();
    const ended = Promise.all(this.#running.values());
    const timer = new AbortController();
    await Promise.race([ended, pause(this.#times.closing, timer.signal)]);
    timer.abort();
    for (const run of this.#running.keys()) {
      this.#deps.log.warn(
        { operation: String(run.id) },
        "an operation does not end in time; it goes on elsewhere",
      );
      run.abandon();
    }
  }

  async #keepLooking(): Promise<void> {
    const { signal } = this.#closing;
    let troubled = false;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      try {
        while (!signal.aborted && (await this.#takeOne()));
        troubled = false;
      } catch (error) {
        if (!troubled) this.#deps.log.warn({ err: error }, "operations cannot be taken on for now");
        troubled = true;
      }
      // In trouble it would be woken by whoever has the same trouble.
      const woken = troubled ? signal : AbortSignal.any([signal, this.#wake.signal]);
      await pause(this.#times.lookEvery, woken);
    }
  }

  /** @returns whether there may be more */
  async #takeOne(): Promise<boolean> {
    if (this.#running.size >= MOST_AT_A_TIME) return false;
    const { claims, log, terms } = this.#deps;
    const askedAt = this.#now();
    const here = [...this.#running.keys()].map((run) => run.id);
    const claim = await claims.claim([...this.#handlers.keys()], this.#times.lease, here);
    const handler = claim && this.#handlers.get(claim.operation.kind);
    if (!handler) return false;
    const run = new OperationRun(
      { terms, claims, handler, log, times: this.#times, now: this.#now },
      claim,
      askedAt,
    );
    this.#running.set(run, this.#follow(run, handler.kind));
    return true;
  }

  async #follow(run: OperationRun<Kind>, kind: Kind): Promise<void> {
    const { observer } = this.#deps;
    observer?.begun(kind);
    const state = await run.run();
    this.#running.delete(run);
    observer?.left(kind, state);
    // There is room for another one; and what is done alone was waited for.
    this.#wake.abort();
  }
}
