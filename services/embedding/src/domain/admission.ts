import { KindredError } from "@kindred/errors";

export interface AdmissionOptions {
  /** Most calls in progress. */
  readonly maxConcurrent: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}

/** Weight of the newest call in the running mean of how long calls take. */
const SMOOTHING = 0.1;
const INITIAL_MS = 100;
const MIN_RETRY_MS = 50;

/** Counts the calls in progress, and refuses those beyond the limit at once. */
export class Admission {
  readonly #maxConcurrent: number;
  readonly #now: () => number;
  #inProgress = 0;
  #meanMs = INITIAL_MS;

  constructor({ maxConcurrent, now = () => performance.now() }: AdmissionOptions) {
    this.#maxConcurrent = maxConcurrent;
    this.#now = now;
  }

  get inProgress(): number {
    return this.#inProgress;
  }

  /**
   * Takes a place until it is disposed of.
   * @throws KindredError resource-exhausted when too many calls are in progress; they end at the rate at which they ended lately.
   */
  enter(): Disposable {
    if (this.#inProgress >= this.#maxConcurrent) {
      const retryAfterMs = Math.max(MIN_RETRY_MS, Math.ceil(this.#meanMs / 2));
      throw new KindredError(
        "resource-exhausted",
        `${this.#inProgress} calls are in progress, which is the most that are taken at once`,
        { retryAfterMs },
      );
    }
    this.#inProgress++;
    const startedAt = this.#now();
    let left = false;
    return {
      [Symbol.dispose]: () => {
        if (left) return;
        left = true;
        this.#inProgress--;
        this.#meanMs += SMOOTHING * (this.#now() - startedAt - this.#meanMs);
      },
    };
  }
}
