import { setTimeout as sleep } from "node:timers/promises";

/** Sweeps begin apart from those of other replicas. */
const JITTER = 0.1;

export interface SweeperDeps {
  /** What is swept, for the log, e.g. "idle sessions". */
  what: string;
  /** From the end of a sweep to the beginning of the next one, in milliseconds. */
  everyMs: number;
  /** One sweep; ends early, without an error, when the signal is aborted. */
  sweep: (signal: AbortSignal) => Promise<unknown>;
  log: { warn(fields: object, message: string): void };
}

/**
 * Sweeps from time to time, in each replica, until it is disposed of, which waits for the sweep that runs. A sweep that fails is logged, and
 * the next one comes at its time. Keeps no process alive.
 */
export class Sweeper implements AsyncDisposable {
  readonly #deps: SweeperDeps;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;

  constructor(deps: SweeperDeps) {
    this.#deps = deps;
    this.#running = this.#run(this.#closing.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { what, everyMs, sweep, log } = this.#deps;
    while (await elapsed(everyMs * (1 + JITTER * Math.random()), signal)) {
      try {
        await sweep(signal);
      } catch (error) {
        if (!signal.aborted) log.warn({ err: error }, `${what} could not be swept; trying again later`);
      }
    }
  }
}

/** @returns false when the signal was aborted before the time was over. */
async function elapsed(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal, ref: false });
    return true;
  } catch (error) {
    if (!signal.aborted) throw error;
    return false;
  }
}
