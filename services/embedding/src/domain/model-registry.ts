import { KindredError, messageOf } from "@kindred/errors";
import type { EmbeddingSpace } from "./embedding-space.ts";
import type { OnProgress } from "./model-files.ts";
import type { ServedModel } from "./served-model.ts";

/** A model in memory. Disposing of it frees what it takes. */
export interface LoadedModel extends AsyncDisposable {
  readonly served: ServedModel;
  /** Path and size in bytes of its compiled form; undefined where there is none. */
  readonly cache: { readonly path: string; readonly bytes: number } | undefined;
}

export interface LoadHooks {
  /** For people: how far it is. */
  readonly onProgress: (detail: string) => void;
  /**
   * Asks for memory before it is taken: other models that nobody uses are unloaded for it.
   * Rejects with a KindredError when there is not enough.
   */
  readonly reserve: (bytes: number) => Promise<void>;
}

/** A model that can be served. */
export interface ModelEntry {
  readonly name: string;
  readonly aliases: readonly string[];
  /** "local", or the remote provider's name. */
  readonly provider: string;
  /** As far as it is known before the model is loaded. */
  readonly space: EmbeddingSpace | undefined;
  load(hooks: LoadHooks): Promise<LoadedModel>;
  /** Obtains and compiles its files, so that loading takes a moment. */
  pull(onProgress: OnProgress): Promise<LoadedModel["cache"]>;
}

type State =
  | { readonly name: "unloaded" }
  | { readonly name: "loading"; detail: string; readonly done: Promise<LoadedModel> }
  | { readonly name: "ready"; readonly model: LoadedModel }
  | { readonly name: "unloading"; readonly done: Promise<void> }
  | { readonly name: "failed"; readonly error: unknown; readonly at: number };

interface Slot {
  readonly entry: ModelEntry;
  state: State;
  /** As it was found when the model was last pulled or loaded. */
  cache: LoadedModel["cache"];
  memoryBytes: number;
  inUse: number;
  /** Counts up with every use: the lowest was used longest ago. */
  lastUse: number;
  lastUsedAt: Date | undefined;
  requests: number;
}

/** Where a served model stands. */
export interface ModelOverview {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly isDefault: boolean;
  readonly provider: string;
  readonly state: "unloaded" | "loading" | "ready" | "failed";
  /** How far loading is, or why it failed; "" otherwise. */
  readonly detail: string;
  readonly space: EmbeddingSpace | undefined;
  /** Undefined unless it is ready. */
  readonly served: ServedModel | undefined;
  readonly cache: LoadedModel["cache"];
  /** 0 unless it is in memory. */
  readonly memoryBytes: number;
  readonly requests: number;
  readonly lastUsedAt: Date | undefined;
}

/** A model in use: it stays in memory until the lease is disposed of. */
export interface ModelLease extends Disposable {
  readonly name: string;
  readonly served: ServedModel;
}

export interface RegistryOptions {
  /** The first one is the default model: calls that name none get it, and it is never unloaded. */
  readonly entries: readonly ModelEntry[];
  /** Memory for all loaded models together, in bytes. */
  readonly memoryLimit: number;
  /** How long a call waits for a model that is being loaded, in milliseconds. */
  readonly loadWaitMs?: number;
  /** After a failed attempt calls fail with its reason for so long, before the next one is made. */
  readonly retryFailedAfterMs?: number;
}

const LOAD_WAIT_MS = 10_000;
const RETRY_FAILED_AFTER_MS = 5000;
const RETRY_MS = 1000;
const MIB = 1 << 20;

const inMiB = (bytes: number) => `${Math.ceil(bytes / MIB)} MiB`;

/** The models that a service serves: loads them when they are first asked for, and unloads the least recently used ones. */
export class ModelRegistry implements AsyncDisposable {
  readonly #slots = new Map<string, Slot>();
  /** By every name and alias. */
  readonly #byName = new Map<string, Slot>();
  readonly #default: Slot;
  readonly #options: Required<Omit<RegistryOptions, "entries">>;
  /** Loading takes turns where memory is concerned, so that two models do not count on the same room. */
  #memoryTurn: Promise<unknown> = Promise.resolve();
  #uses = 0;
  #closed = false;

  /** @throws KindredError failed-precondition when a name or an alias stands for two models. */
  constructor(options: RegistryOptions) {
    const {
      entries,
      memoryLimit,
      loadWaitMs = LOAD_WAIT_MS,
      retryFailedAfterMs = RETRY_FAILED_AFTER_MS,
    } = options;
    this.#options = { memoryLimit, loadWaitMs, retryFailedAfterMs };
    for (const entry of entries) {
      const slot: Slot = {
        entry,
        state: { name: "unloaded" },
        cache: undefined,
        memoryBytes: 0,
        inUse: 0,
        lastUse: 0,
        lastUsedAt: undefined,
        requests: 0,
      };
      this.#slots.set(entry.name, slot);
      for (const name of [entry.name, ...entry.aliases]) {
        const other = this.#byName.get(name);
        if (other !== undefined) {
          throw new KindredError(
            "failed-precondition",
            `the model name ${JSON.stringify(name)} stands for both ${other.entry.name} and ${entry.name}`,
          );
        }
        this.#byName.set(name, slot);
      }
    }
    const [first] = this.#slots.values();
    if (first === undefined) throw new RangeError("a registry needs a model");
    this.#default = first;
  }

  /** The entry that a name or alias leads to; "" is the default. @throws KindredError not-found naming the models that are served. */
  resolve(name: string): ModelEntry {
    return this.#slot(name).entry;
  }

  /** The name of a model that embeds into this space, as far as that is known before models are loaded; "" where none is. */
  nameBySpace(spaceId: string): string {
    return this.list().find(({ space }) => space?.id === spaceId)?.name ?? "";
  }

  /** The default one first, then by name. */
  list(): ModelOverview[] {
    const [first, ...others] = this.#slots.values();
    return [first as Slot, ...others.toSorted((a, b) => a.entry.name.localeCompare(b.entry.name))].map(
      (slot) => this.#overview(slot),
    );
  }

  /** One model's overview. @throws as `resolve`. */
  overview(name: string): ModelOverview {
    return this.#overview(this.#slot(name));
  }

  /**
   * A model ready to be used, loaded if need be. Dispose of the lease when the call is over.
   * @throws KindredError not-found; unavailable with how far it is when loading takes long; what loading failed with.
   */
  async acquire(name: string, signal?: AbortSignal): Promise<ModelLease> {
    const slot = this.#slot(name);
    // Held from here on, so that it is not unloaded between its loading and its use.
    slot.inUse++;
    let held = true;
    const release = () => {
      if (held) slot.inUse--;
      held = false;
    };
    try {
      const { served } = await this.#waitUntilReady(slot, signal);
      slot.requests++;
      slot.lastUse = ++this.#uses;
      slot.lastUsedAt = new Date();
      return { name: slot.entry.name, served, [Symbol.dispose]: release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Obtains and compiles a model's files. @throws as `resolve`, or what obtaining them failed with. */
  async pull(name: string, onProgress: OnProgress): Promise<void> {
    const slot = this.#slot(name);
    slot.cache = await slot.entry.pull(onProgress);
  }

  /** Loads a model and waits for it however long it takes. */
  async load(name: string): Promise<LoadedModel> {
    return this.#load(this.#slot(name));
  }

  #slot(name: string): Slot {
    if (name === "") return this.#default;
    const slot = this.#byName.get(name);
    if (slot !== undefined) return slot;
    const served = [...this.#slots.keys()].join(", ");
    throw new KindredError(
      "not-found",
      `there is no model ${JSON.stringify(name)} here; served are ${served}`,
      {
        metadata: { model: name, served },
      },
    );
  }

  async #waitUntilReady(slot: Slot, signal: AbortSignal | undefined): Promise<LoadedModel> {
    if (slot.state.name === "ready") return slot.state.model;
    signal?.throwIfAborted();
    const loading = this.#load(slot);
    // When nobody waits any more its failure is kept in the slot.
    loading.catch(() => undefined);
    const { loadWaitMs } = this.#options;
    const waiting = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const detail = slot.state.name === "loading" ? slot.state.detail : "starting";
      waiting.reject(
        new KindredError("unavailable", `the model ${slot.entry.name} is not ready yet (${detail})`, {
          retryAfterMs: RETRY_MS,
        }),
      );
    }, loadWaitMs);
    const abort = () => waiting.reject(signal?.reason as Error);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      return await Promise.race([loading, waiting.promise]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }

  async #load(slot: Slot): Promise<LoadedModel> {
    while (slot.state.name === "unloading") await slot.state.done;
    const { state } = slot;
    if (state.name === "ready") return state.model;
    if (state.name === "loading") return state.done;
    if (this.#closed) throw new KindredError("unavailable", "the embedding service is stopping");
    if (state.name === "failed" && performance.now() - state.at < this.#options.retryFailedAfterMs) {
      throw state.error;
    }
    const loading = { name: "loading" as const, detail: "starting", done: this.#start(slot) };
    slot.state = loading;
    return loading.done;
  }

  async #start(slot: Slot): Promise<LoadedModel> {
    // The state says "loading" before anything below runs.
    await Promise.resolve();
    try {
      const model = await slot.entry.load({
        onProgress: (detail) => {
          if (slot.state.name === "loading") slot.state.detail = detail;
        },
        reserve: (bytes) => this.#reserve(slot, bytes),
      });
      slot.state = { name: "ready", model };
      slot.cache = model.cache;
      return model;
    } catch (error) {
      slot.memoryBytes = 0;
      slot.state = { name: "failed", error, at: performance.now() };
      throw error;
    }
  }

  #reserve(slot: Slot, bytes: number): Promise<void> {
    const turn = this.#memoryTurn.then(() => this.#makeRoom(slot, bytes));
    this.#memoryTurn = turn.catch(() => undefined);
    return turn;
  }

  async #makeRoom(slot: Slot, bytes: number): Promise<void> {
    const { memoryLimit } = this.#options;
    if (bytes > memoryLimit) {
      throw new KindredError(
        "failed-precondition",
        `the model ${slot.entry.name} takes about ${inMiB(bytes)}, and EMBEDDING_MEMORY_LIMIT is ${inMiB(memoryLimit)}`,
      );
    }
    // What the model itself reserved before, on its way to another execution provider, it gives back.
    slot.memoryBytes = 0;
    const taken = () => [...this.#slots.values()].reduce((sum, other) => sum + other.memoryBytes, 0);
    while (taken() + bytes > memoryLimit) {
      const idle = [...this.#slots.values()]
        .filter((other) => other !== this.#default && other.state.name === "ready" && other.inUse === 0)
        .toSorted((a, b) => a.lastUse - b.lastUse)
        .find((other) => other.memoryBytes > 0);
      if (idle === undefined) {
        throw new KindredError(
          "resource-exhausted",
          `the model ${slot.entry.name} takes about ${inMiB(bytes)}; of EMBEDDING_MEMORY_LIMIT (${inMiB(memoryLimit)}) ` +
            `${inMiB(taken())} are taken by models in use`,
          { retryAfterMs: RETRY_MS },
        );
      }
      await this.#unload(idle);
    }
    slot.memoryBytes = bytes;
  }

  async #unload(slot: Slot): Promise<void> {
    if (slot.state.name !== "ready") return;
    const { model } = slot.state;
    const done = Promise.resolve(model[Symbol.asyncDispose]());
    slot.state = { name: "unloading", done };
    try {
      await done;
    } finally {
      slot.memoryBytes = 0;
      slot.state = { name: "unloaded" };
    }
  }

  #overview(slot: Slot): ModelOverview {
    const { entry, state } = slot;
    const model = state.name === "ready" ? state.model : undefined;
    return {
      name: entry.name,
      aliases: entry.aliases,
      isDefault: slot === this.#default,
      provider: entry.provider,
      state: state.name === "unloading" ? "unloaded" : state.name,
      detail: state.name === "loading" ? state.detail : state.name === "failed" ? messageOf(state.error) : "",
      space: model?.served.embedder.space ?? entry.space,
      served: model?.served,
      cache: slot.cache,
      memoryBytes: slot.memoryBytes,
      requests: slot.requests,
      lastUsedAt: slot.lastUsedAt,
    };
  }

  /** Ends all models; work that still runs on them fails. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    const loading = [...this.#slots.values()].flatMap(({ state }) =>
      state.name === "loading" ? [state.done] : [],
    );
    await Promise.allSettled(loading);
    await Promise.all([...this.#slots.values()].map((slot) => this.#unload(slot)));
  }
}
