import { setImmediate } from "node:timers/promises";

/** Longest time that other work waits for one step of a computation, in milliseconds; steps themselves are shorter. */
const STEP_MS = 3;

/** Lets the event loop go round where a computation has gone on for a while, and ends it where nobody waits any more. */
export class Breather {
  #since = performance.now();
  readonly #signal: AbortSignal | undefined;

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /**
   * Undefined where it is not yet time to pause: awaiting nothing would take longer than many a step.
   * The promise rejects with the signal's reason.
   */
  step(): Promise<void> | undefined {
    return performance.now() - this.#since < STEP_MS ? undefined : this.#pause();
  }

  async #pause(): Promise<void> {
    await setImmediate();
    this.#signal?.throwIfAborted();
    this.#since = performance.now();
  }
}
