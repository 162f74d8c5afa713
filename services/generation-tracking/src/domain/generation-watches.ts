import { isDeepStrictEqual } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { KindredError } from "@kindred/errors";
import type { Generation } from "./generation.ts";
import { noGeneration } from "./generation-errors.ts";
import type { GenerationStore } from "./generation-store.ts";

/** Tells of each of these rows something that is another one after each change; those that are not there are left out. */
export type ReadVersions = (ids: readonly bigint[]) => Promise<ReadonlyMap<bigint, string>>;

export interface WatchesDeps {
  store: Pick<GenerationStore, "find">;
  readVersions: ReadVersions;
  /** How often is looked for changes, in milliseconds. */
  everyMs: number;
}

interface Watcher {
  id: bigint;
  /** As it was seen last. */
  version: string | undefined;
  changed: (version: string | undefined) => void;
  failed: (error: unknown) => void;
}

/**
 * Watches generations by looking now and then, with one statement for all watchers of this process, however many they are, and none when there
 * are none. A message for every report of progress would make all of them wait for each other: NOTIFY takes a lock of the whole server when its
 * transaction commits. And whoever makes a generation reports more often than anybody can look at.
 */
export class GenerationWatches {
  readonly #deps: WatchesDeps;
  readonly #closing = new AbortController();
  readonly #waiting = new Set<Watcher>();
  #looking = false;

  constructor(deps: WatchesDeps) {
    this.#deps = deps;
  }

  /** Ends all watching with "unavailable", which lets a server drain: clients watch again elsewhere. */
  end(): void {
    const error = new KindredError("unavailable", "the service is shutting down: watch again", {
      retryAfterMs: 1000,
    });
    this.#closing.abort(error);
    for (const watcher of this.#waiting) watcher.failed(error);
  }

  /**
   * The generation as it is, then again whenever it has changed, until it has ended or the signal is aborted.
   * @throws KindredError not-found when there is none, or it is deleted meanwhile; unavailable when the service shuts down.
   */
  async *watch(id: bigint, signal: AbortSignal): AsyncGenerator<Generation> {
    let shown: Generation | undefined;
    let version = (await this.#deps.readVersions([id])).get(id);
    while (!signal.aborted) {
      this.#closing.signal.throwIfAborted();
      const generation = await this.#deps.store.find(id);
      if (!generation) throw noGeneration(id);
      // The row may have changed between looking at its version and reading it.
      if (!isDeepStrictEqual(generation, shown)) yield generation;
      shown = generation;
      if (generation.status !== "running") return;
      version = await this.#otherThan(id, version, signal);
    }
  }

  /** @returns the version that it has then; undefined where it is not there any more, or the signal was aborted */
  #otherThan(id: bigint, version: string | undefined, signal: AbortSignal): Promise<string | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
    if (signal.aborted) return Promise.resolve(undefined);
    // Whoever was reading when all watching ended was not waiting yet, and was not told.
    if (this.#closing.signal.aborted) return Promise.reject(this.#closing.signal.reason);
    const watcher: Watcher = { id, version, changed: resolve, failed: reject };
    const giveUp = (): void => resolve(undefined);
    signal.addEventListener("abort", giveUp, { once: true });
    this.#waiting.add(watcher);
    if (!this.#looking) void this.#look();
    return promise.finally(() => {
      this.#waiting.delete(watcher);
      signal.removeEventListener("abort", giveUp);
    });
  }

  /** While anybody waits. Never rejects: watchers are told what went wrong. */
  async #look(): Promise<void> {
    this.#looking = true;
    while (this.#waiting.size > 0 && !this.#closing.signal.aborted) {
      await sleep(this.#deps.everyMs, undefined, { ref: false });
      const asked = [...this.#waiting];
      if (asked.length === 0) break;
      try {
        const versions = await this.#deps.readVersions([...new Set(asked.map(({ id }) => id))]);
        for (const { id, version, changed } of asked) {
          const now = versions.get(id);
          if (now !== version) changed(now);
        }
      } catch (error) {
        for (const watcher of asked) watcher.failed(error);
      }
    }
    this.#looking = false;
  }
}
