import type { StoredSample } from "./sample.ts";
import type { RoundsLog } from "./rounds.ts";

export interface LiveStore {
  /** The highest id that was given out. */
  latestId(): Promise<bigint>;
  /** Samples with ids above that, at most `limit`, in the order of their ids. */
  after(id: bigint, limit: number): Promise<StoredSample[]>;
  /** The newest `limit` samples of the last minutes, oldest first. */
  recent(query: { minutes: number; components: readonly string[]; limit: number }): Promise<StoredSample[]>;
}

export interface LiveOptions {
  store: LiveStore;
  /** How often one looks for samples while somebody watches. */
  everyMs: number;
  /** Samples that wait for each watcher; of more, the oldest are dropped. */
  maxWaiting: number;
  log: Pick<RoundsLog, "warn">;
}

/** What a watcher is given at once. */
export interface LiveBatch {
  samples: StoredSample[];
  /** Samples that were left out before these. */
  dropped: number;
}

/** Samples as they come, to whichever replica: while somebody watches, and only then, this process looks for them. */
export interface LiveSamples extends AsyncDisposable {
  /** Until the signal is aborted, or this is disposed of. @throws KindredError what the database fails with before the first batch */
  watch(query: {
    components: readonly string[];
    backlogMinutes: number;
    signal: AbortSignal;
  }): AsyncGenerator<LiveBatch>;
  /** Ends every watch, and those to come at once. */
  end(): void;
}

/** Samples in one batch. */
const BATCH = 1000;
/** Of what is there already when one begins to watch. */
const MAX_BACKLOG = 10_000;
/** Ids are given out before they are committed: so many below the highest one may still come ... */
const LATE_IDS = 20_000n;
/** ... for so long. */
const LATE_MS = 30_000;
/** When one begins to look. */
const IDS_ON_THEIR_WAY = 5_000n;
/** Samples that one look takes. */
const MAX_LOOK = 50_000;

export function createLiveSamples(options: LiveOptions): LiveSamples {
  return new PolledSamples(options);
}

class PolledSamples implements LiveSamples {
  readonly #options: LiveOptions;
  readonly #watchers = new Set<Watcher>();
  readonly #closing = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #position: Position | undefined;
  #failing = false;

  constructor(options: LiveOptions) {
    this.#options = options;
  }

  async *watch({
    components,
    backlogMinutes,
    signal,
  }: {
    components: readonly string[];
    backlogMinutes: number;
    signal: AbortSignal;
  }): AsyncGenerator<LiveBatch> {
    const over = AbortSignal.any([signal, this.#closing.signal]);
    const watcher = new Watcher(components, this.#options.maxWaiting);
    // Begun before the backlog is read, so that nothing falls between; what is in both is told once.
    await this.#begin(watcher);
    try {
      if (backlogMinutes > 0) {
        const query = { minutes: backlogMinutes, components, limit: MAX_BACKLOG };
        watcher.startWith(await this.#options.store.recent(query));
      }
      while (!over.aborted) {
        const batch = watcher.take(BATCH);
        if (batch) yield batch;
        else await watcher.more(over);
      }
    } finally {
      this.#end(watcher);
    }
  }

  async #begin(watcher: Watcher): Promise<void> {
    if (this.#watchers.size === 0) this.#position = undefined;
    this.#watchers.add(watcher);
    try {
      // A look that is under way for a watcher that is gone knows another position: none counts from which this one could go on.
      do await this.#look(true);
      while (this.#position === undefined);
    } catch (error) {
      this.#end(watcher);
      throw error;
    }
    this.#timer ??= setInterval(() => void this.#look(false), this.#options.everyMs).unref();
  }

  #end(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    if (this.#watchers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** One look at a time. A failure is logged once until one works again. */
  async #look(first: boolean): Promise<void> {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined;
    });
    try {
      await this.#looking;
      this.#failing = false;
    } catch (error) {
      if (first) throw error;
      if (!this.#failing) this.#options.log.warn({ err: error }, "watchers get no samples for now");
      this.#failing = true;
    }
  }

  async #lookOnce(): Promise<void> {
    const { store } = this.#options;
    if (this.#position === undefined) {
      // What is there by now is nothing new; ids below the highest may still be on their way.
      const position = new Position((await store.latestId()) - IDS_ON_THEIR_WAY);
      position.fresh(await store.after(position.lowest, MAX_LOOK));
      this.#position = position;
      return;
    }
    const found = this.#position.fresh(await store.after(this.#position.lowest, MAX_LOOK));
    if (found.length === 0) return;
    for (const watcher of this.#watchers) watcher.add(found);
  }

  end(): void {
    this.#closing.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
    clearInterval(this.#timer);
    await this.#looking?.catch(() => undefined);
  }
}

/** How far one has looked, and which of the ids that may come late were there already. */
class Position {
  #lowest: bigint;
  #highest: bigint;
  readonly #seen = new Set<bigint>();
  #marks: { at: number; highest: bigint }[] = [];

  constructor(latestId: bigint) {
    this.#lowest = latestId;
    this.#highest = latestId;
  }

  get lowest(): bigint {
    return this.#lowest;
  }

  /** Those of them that were not there before. */
  fresh(samples: readonly StoredSample[]): StoredSample[] {
    const found = samples.filter(({ id }) => !this.#seen.has(id));
    for (const { id } of found) {
      this.#seen.add(id);
      if (id > this.#highest) this.#highest = id;
    }
    this.#advance();
    return found;
  }

  #advance(): void {
    const now = performance.now();
    this.#marks.push({ at: now, highest: this.#highest });
    while ((this.#marks[0]?.at ?? now) < now - LATE_MS)
      this.#lowest = max(this.#lowest, this.#marks.shift()?.highest ?? this.#lowest);
    this.#lowest = max(this.#lowest, this.#highest - LATE_IDS);
    // Ids grow with their place in the set, nearly: what is left behind is cleared later.
    for (const id of this.#seen) {
      if (id > this.#lowest) break;
      this.#seen.delete(id);
    }
  }
}

const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);

/** What waits for one watcher. */
class Watcher {
  readonly #components: ReadonlySet<string>;
  readonly #maxWaiting: number;
  #waiting: StoredSample[] = [];
  #dropped = 0;
  #told = Promise.withResolvers<void>();
  /** Ids of the backlog, which may come once more. */
  #known: ReadonlySet<bigint> = new Set<bigint>();

  constructor(components: readonly string[], maxWaiting: number) {
    this.#components = new Set(components);
    this.#maxWaiting = maxWaiting;
  }

  startWith(backlog: readonly StoredSample[]): void {
    const known = new Set(backlog.map(({ id }) => id));
    this.#known = known;
    this.#waiting = [...backlog, ...this.#waiting.filter(({ id }) => !known.has(id))];
    this.#told.resolve();
  }

  add(samples: readonly StoredSample[]): void {
    const wanted = samples.filter(
      ({ id, component }) =>
        (this.#components.size === 0 || this.#components.has(component)) && !this.#known.has(id),
    );
    if (wanted.length === 0) return;
    this.#waiting.push(...wanted);
    const excess = this.#waiting.length - this.#maxWaiting;
    if (excess > 0) {
      this.#waiting.splice(0, excess);
      this.#dropped += excess;
    }
    this.#told.resolve();
  }

  /** Undefined when nothing waits. */
  take(limit: number): LiveBatch | undefined {
    if (this.#waiting.length === 0) {
      this.#told = Promise.withResolvers();
      return undefined;
    }
    const batch = { samples: this.#waiting.splice(0, limit), dropped: this.#dropped };
    this.#dropped = 0;
    return batch;
  }

  /** Resolves when something waits, or the signal is aborted. */
  async more(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const wake = (): void => this.#told.resolve();
    signal.addEventListener("abort", wake, { once: true });
    await this.#told.promise;
    signal.removeEventListener("abort", wake);
  }
}
