import { isKindredError, messageOf } from "@kindred/errors";
import type { Logger } from "@kindred/telemetry";

/**
 * Takes events, 1 to `maxBatch` of them, oldest first.
 * @throws KindredError unavailable when they were not taken and may come again; with any other error they are lost.
 */
export type DeliverEvents<T> = (events: T[], signal: AbortSignal) => Promise<unknown>;

export interface EventDeliveryOptions<T> {
  deliver: DeliverEvents<T>;
  /** Events that wait while their taker is away; the oldest are dropped. */
  maxWaiting: number;
  /** Most events in one call. */
  maxBatch: number;
  /** For the log: who takes them, e.g. "metrics service", and what they are, e.g. "samples". */
  what: { taker: string; events: string };
  logger: Logger;
}

/** One-way events on their way to a service. Nobody waits for them, and what cannot be delivered is dropped. */
export interface EventDelivery<T> extends AsyncDisposable {
  /** Events that were not taken yet, those of the call in flight not included. */
  readonly waiting: number;
  /** Adds events, and sends what waits unless a call is in flight already. */
  enqueue(events: readonly T[]): void;
  /** Sends what waits. Resolves when nothing does any more, or the taker is found to be away; never rejects. */
  flush(): Promise<void>;
}

/** Services start side by side: one that is not there at the first try is nothing to report. */
const FAILURES_BEFORE_WARNING = 2;

/**
 * Delivers events one call at a time. Those of a call that failed with UNAVAILABLE wait for the next `enqueue` or `flush`, those of one
 * that failed otherwise are dropped: whether they were taken is not known, or they never will be. One warning is logged when the
 * taker goes away, one line when it is back. Disposing gives up the call in flight: events are not worth a delay of the shutdown.
 */
export function startEventDelivery<T>(options: EventDeliveryOptions<T>): EventDelivery<T> {
  return new QueuedDelivery(options);
}

class QueuedDelivery<T> implements EventDelivery<T> {
  readonly #options: EventDeliveryOptions<T>;
  readonly #stopped = new AbortController();
  #sending: Promise<void> | undefined;
  /** Oldest first. */
  #waiting: T[] = [];
  #failures = 0;
  #lost = 0;

  constructor(options: EventDeliveryOptions<T>) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  enqueue(events: readonly T[]): void {
    this.#keep(events);
    void this.flush();
  }

  flush(): Promise<void> {
    // Begun later, so that #sending is set by then: #send unsets it itself, in the same moment as it looks for the last time.
    this.#sending ??= Promise.resolve().then(() => this.#send());
    return this.#sending;
  }

  #keep(events: readonly T[]): void {
    this.#waiting.push(...events);
    const excess = this.#waiting.length - this.#options.maxWaiting;
    if (excess > 0) {
      this.#waiting.splice(0, excess);
      this.#lost += excess;
    }
  }

  /** Sends what waits, until nothing does or the taker is found to be away. Never rejects. */
  async #send(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#stopped.signal.aborted) {
      const batch = this.#waiting.splice(0, this.#options.maxBatch);
      try {
        await this.#options.deliver(batch, this.#stopped.signal);
        this.#onDelivered();
      } catch (error) {
        if (!this.#stopped.signal.aborted) this.#onFailed(batch, error);
        break;
      }
    }
    this.#sending = undefined;
  }

  #onDelivered(): void {
    if (this.#failures >= FAILURES_BEFORE_WARNING) {
      const { taker, events } = this.#options.what;
      this.#options.logger.info({ [`${events}_lost`]: this.#lost }, `the ${taker} is back`);
    }
    this.#failures = 0;
    this.#lost = 0;
  }

  #onFailed(batch: readonly T[], error: unknown): void {
    if (isKindredError(error) && error.kind === "unavailable") {
      const later = this.#waiting;
      this.#waiting = [];
      this.#keep([...batch, ...later]);
    } else {
      this.#lost += batch.length;
    }
    this.#failures += 1;
    if (this.#failures === FAILURES_BEFORE_WARNING) {
      const { taker, events } = this.#options.what;
      this.#options.logger.warn({ reason: messageOf(error) }, `the ${taker} is away; ${events} may be lost`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    await this.#sending;
  }
}
