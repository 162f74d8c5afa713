import { messageOf, type KindredError } from "@kindred/errors";
import { delayBefore, isPassing } from "@kindred/rpc";
import type { Progress } from "./progress.ts";

export interface PatienceDeps {
  progress: Pick<Progress, "add" | "waiting">;
  /** Resolves after the time, and rejects when the signal is aborted. */
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  now: () => number;
}

/**
 * How long a service may be away, over all calls that are under way. What a service asks to wait for, because a provider limits its rate or a
 * queue is full, does not count: it is there, and says when to come back.
 */
export class Patience {
  readonly #deps: PatienceDeps;
  readonly #limitMs: number;
  #awaySince: number | undefined;

  constructor(deps: PatienceDeps, limitMs: number) {
    this.#deps = deps;
    this.#limitMs = limitMs;
  }

  /**
   * What the call gives; it is made again when it fails for a reason that passes.
   * @param stop ends the waiting with its reason, and never a call
   * @throws what the call failed with, or the reason of `stop`
   */
  async call<T>(once: () => Promise<T>, stop: AbortSignal): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        const result = await once();
        this.renew();
        return result;
      } catch (error) {
        await this.waitAfter(error, attempt, stop);
      }
    }
  }

  /** The service has answered. */
  renew(): void {
    this.#awaySince = undefined;
  }

  /**
   * Waits before what failed is tried again.
   * @param attempt how often that was already, from 0
   * @throws the error when it does not pass, or patience is over; the reason of `stop`
   */
  async waitAfter(error: unknown, attempt: number, stop: AbortSignal): Promise<void> {
    if (!isPassing(error)) throw error;
    const asked = error.retryAfterMs;
    if (asked === undefined && this.#isOver()) throw error;
    stop.throwIfAborted();
    const ms = delayBefore(attempt, error);
    this.#deps.progress.add({ retries: 1 });
    using _ = this.#deps.progress.waiting(reasonOf(error, ms), {
      rateLimit: error.kind === "resource-exhausted",
    });
    try {
      await this.#deps.sleep(ms, stop);
    } catch (interrupted) {
      stop.throwIfAborted();
      throw interrupted;
    }
  }

  #isOver(): boolean {
    this.#awaySince ??= this.#deps.now();
    return this.#deps.now() - this.#awaySince >= this.#limitMs;
  }
}

function reasonOf(error: KindredError, ms: number): string {
  const seconds = (ms / 1_000).toFixed(1);
  return error.retryAfterMs === undefined
    ? `trying again in ${seconds} s: ${messageOf(error)}`
    : `asked to wait ${seconds} s: ${messageOf(error)}`;
}
