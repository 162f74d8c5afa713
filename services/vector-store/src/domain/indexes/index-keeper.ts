import { setTimeout as sleep } from "node:timers/promises";
import { keepIndexes, noActivity, type KeepIndexesDeps } from "./keep-indexes.ts";

/** Passes begin apart from those of other replicas. */
const JITTER = 0.1;

export interface IndexKeeperDeps extends KeepIndexesDeps {
  /** From the end of a pass to the beginning of the next one, in milliseconds; 0: there is none. */
  everyMs: number;
  log: KeepIndexesDeps["log"] & { warn(fields: object, message: string): void };
}

/** Looks after the indexes of collections whose policy is automatic. Disposing of it ends the pass that runs. */
export class IndexKeeper implements AsyncDisposable {
  readonly #deps: IndexKeeperDeps;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;

  constructor(deps: IndexKeeperDeps) {
    this.#deps = deps;
    this.#running = deps.everyMs > 0 ? this.#run() : Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    const activity = noActivity();
    while (await this.#pause(signal)) {
      try {
        await keepIndexes(this.#deps, activity, signal);
      } catch (error) {
        if (!signal.aborted)
          this.#deps.log.warn({ err: error }, "indexes could not be looked after; trying again later");
      }
    }
  }

  /** @returns whether there is anything to go on for. */
  async #pause(signal: AbortSignal): Promise<boolean> {
    const ms = this.#deps.everyMs * (1 + JITTER * Math.random());
    try {
      await sleep(ms, undefined, { signal, ref: false });
      return true;
    } catch {
      return false;
    }
  }
}
