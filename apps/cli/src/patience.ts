import { messageOf } from "@kindred/errors";

/** Time, and who is told about waiting. */
export interface PatienceDeps {
  /** Resolves after the time, and rejects when the signal is aborted. */
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  now: () => number;
  /** The services do not answer; called once until they do again. */
  onWaiting: (reason: string) => void;
  onResumed: () => void;
}

/** How long it has been since a call succeeded, over all calls that are under way. */
export class Patience {
  readonly #deps: Pick<PatienceDeps, "now" | "onWaiting" | "onResumed">;
  readonly #limitMs: number;
  #since: number | undefined;

  constructor(deps: Pick<PatienceDeps, "now" | "onWaiting" | "onResumed">, limitMs: number) {
    this.#deps = deps;
    this.#limitMs = limitMs;
  }

  renew(): void {
    if (this.#since !== undefined) this.#deps.onResumed();
    this.#since = undefined;
  }

  isOver(error: unknown): boolean {
    if (this.#since === undefined) {
      this.#since = this.#deps.now();
      this.#deps.onWaiting(messageOf(error));
    }
    return this.#deps.now() - this.#since >= this.#limitMs;
  }
}
