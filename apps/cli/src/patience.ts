import { isKindredError, messageOf } from "@kindred/errors";

/** A service that is restarted, or whose queue is full, takes the same call a moment later. */
const PASSING = new Set(["unavailable", "resource-exhausted", "aborted", "deadline-exceeded"]);
const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 3_000;

/** Time, and who is told about waiting. */
export interface PatienceDeps {
  /** Resolves after the time, and rejects when the signal is aborted. */
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  now: () => number;
  /** The services do not answer; called once until they do again. */
  onWaiting: (reason: string) => void;
  onResumed: () => void;
}

/** Whether the same call may work a moment later. */
export function isPassing(error: unknown): boolean {
  return isKindredError(error) && PASSING.has(error.kind);
}

/** Milliseconds before the call after `attempt` (from 0): doubling, with jitter, and never less than the service asks for. */
export function delayBefore(attempt: number, error: unknown): number {
  const delay = Math.min(FIRST_DELAY_MS * 2 ** attempt, LONGEST_DELAY_MS) * (0.5 + Math.random() / 2);
  return Math.max(delay, isKindredError(error) ? (error.retryAfterMs ?? 0) : 0);
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
