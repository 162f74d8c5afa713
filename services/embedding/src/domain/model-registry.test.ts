import { describe, expect, test } from "@jest/globals";
import { KindredError } from "@kindred/errors";
import { createSpace } from "./embedding-space.ts";
import type { OnProgress } from "./model-files.ts";
import { ModelRegistry, type LoadHooks, type LoadedModel, type ModelEntry } from "./model-registry.ts";

const MIB = 1 << 20;

/** A model that takes memory and does nothing. */
class FakeEntry implements ModelEntry {
  readonly provider = "local";
  readonly space = undefined;
  readonly name: string;
  readonly aliases: readonly string[];
  readonly #bytes: number;
  readonly #before: (hooks: LoadHooks) => Promise<void>;
  loads = 0;
  unloads = 0;

  constructor(
    name: string,
    bytes = 10 * MIB,
    aliases: readonly string[] = [],
    before: (hooks: LoadHooks) => Promise<void> = async () => undefined,
  ) {
    this.name = name;
    this.aliases = aliases;
    this.#bytes = bytes;
    this.#before = before;
  }

  async pull(onProgress: OnProgress): Promise<LoadedModel["cache"]> {
    onProgress({ phase: "compile", done: this.#bytes, total: this.#bytes, source: "cache" });
    return { path: `/cache/${this.name}`, bytes: this.#bytes };
  }

  async load(hooks: LoadHooks): Promise<LoadedModel> {
    this.loads++;
    await this.#before(hooks);
    await hooks.reserve(this.#bytes);
    const space = createSpace({
      provider: "local",
      model: this.name,
      revision: "1",
      dimensions: 1,
      pooling: "mean",
      normalization: "l2",
      maxTokens: 10,
    });
    return {
      served: {
        embedder: { space, embed: () => Promise.reject(new Error("nobody embeds here")) },
        tokens: undefined,
        local: undefined,
        shortenable: false,
        source: "cache",
        maxQueueTokens: 1,
      },
      cache: { path: `/cache/${this.name}`, bytes: this.#bytes },
      [Symbol.asyncDispose]: async () => {
        this.unloads++;
      },
    };
  }
}

const statesOf = (registry: ModelRegistry) =>
  Object.fromEntries(registry.list().map(({ name, state }) => [name, state]));

async function use(registry: ModelRegistry, name: string): Promise<void> {
  using lease = await registry.acquire(name);
  expect(lease.served.embedder.space.model).toBe(name);
}

test("loads a model when it is first asked for, once, and finds it by its aliases", async () => {
  const a = new FakeEntry("a", MIB, ["first"]);
  const registry = new ModelRegistry({ entries: [a, new FakeEntry("b")], memoryLimit: 100 * MIB });
  expect(statesOf(registry)).toEqual({ a: "unloaded", b: "unloaded" });
  const leases = await Promise.all(["a", "first", ""].map((name) => registry.acquire(name)));
  expect(leases.map(({ name }) => name)).toEqual(["a", "a", "a"]);
  expect(a.loads).toBe(1);
  expect(registry.overview("first")).toMatchObject({
    name: "a",
    isDefault: true,
    state: "ready",
    requests: 3,
    memoryBytes: MIB,
    cache: { path: "/cache/a", bytes: MIB },
    lastUsedAt: expect.any(Date),
  });
});

test("names the models that are served when it has no such model", async () => {
  const registry = new ModelRegistry({ entries: [new FakeEntry("a"), new FakeEntry("b")], memoryLimit: MIB });
  await expect(registry.acquire("c")).rejects.toMatchObject({
    kind: "not-found",
    message: 'there is no model "c" here; served are a, b',
  });
});

test("a name that stands for two models is an error", () => {
  const entries = [new FakeEntry("a"), new FakeEntry("b", MIB, ["a"])];
  expect(() => new ModelRegistry({ entries, memoryLimit: MIB })).toThrow(
    'the model name "a" stands for both a and b',
  );
});

test("lists the default model first, the others by name", () => {
  const entries = ["z", "c", "b"].map((name) => new FakeEntry(name));
  const registry = new ModelRegistry({ entries, memoryLimit: MIB });
  expect(registry.list().map(({ name }) => name)).toEqual(["z", "b", "c"]);
});

describe("memory", () => {
  test("the least recently used model gives way, the default one never", async () => {
    const entries = ["a", "b", "c", "d"].map((name) => new FakeEntry(name));
    const registry = new ModelRegistry({ entries, memoryLimit: 30 * MIB });
    for (const name of ["a", "b", "c", "b", "d"]) await use(registry, name);
    expect(statesOf(registry)).toEqual({ a: "ready", b: "ready", c: "unloaded", d: "ready" });
    await use(registry, "c");
    expect(statesOf(registry)).toEqual({ a: "ready", b: "unloaded", c: "ready", d: "ready" });
    expect(entries.map(({ loads, unloads }) => [loads, unloads])).toEqual([
      [1, 0],
      [1, 1],
      [2, 1],
      [1, 0],
    ]);
  });

  test("a model in use stays, and the newcomer is told to come again", async () => {
    const entries = ["a", "b", "c"].map((name) => new FakeEntry(name));
    const registry = new ModelRegistry({ entries, memoryLimit: 20 * MIB, retryFailedAfterMs: 0 });
    await use(registry, "a");
    const lease = await registry.acquire("b");
    await expect(registry.acquire("c")).rejects.toMatchObject({
      kind: "resource-exhausted",
      message:
        "the model c takes about 10 MiB; of EMBEDDING_MEMORY_LIMIT (20 MiB) 20 MiB are taken by models in use",
      retryAfterMs: expect.any(Number),
    });
    lease[Symbol.dispose]();
    await use(registry, "c");
    expect(statesOf(registry)).toEqual({ a: "ready", b: "unloaded", c: "ready" });
  });

  test("a model that can never fit says so", async () => {
    const registry = new ModelRegistry({ entries: [new FakeEntry("a", 50 * MIB)], memoryLimit: 20 * MIB });
    await expect(registry.acquire("")).rejects.toMatchObject({
      kind: "failed-precondition",
      message: "the model a takes about 50 MiB, and EMBEDDING_MEMORY_LIMIT is 20 MiB",
    });
    expect(registry.overview("a")).toMatchObject({ state: "failed", memoryBytes: 0 });
  });

  test("two models that load at once do not count on the same room", async () => {
    const entries = ["a", "b", "c", "d"].map((name) => new FakeEntry(name));
    const registry = new ModelRegistry({ entries, memoryLimit: 20 * MIB });
    await use(registry, "a");
    const outcomes = await Promise.allSettled(["b", "c", "d"].map((name) => registry.acquire(name)));
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected", "rejected"]);
  });
});

describe("while a model is loading", () => {
  test("a call waits for a while, and is then told how far it is", async () => {
    const gate = Promise.withResolvers<void>();
    const entry = new FakeEntry("a", MIB, [], async ({ onProgress }) => {
      onProgress("download 40 %");
      await gate.promise;
    });
    const registry = new ModelRegistry({ entries: [entry], memoryLimit: 10 * MIB, loadWaitMs: 10 });
    await expect(registry.acquire("a")).rejects.toMatchObject({
      kind: "unavailable",
      message: "the model a is not ready yet (download 40 %)",
      retryAfterMs: expect.any(Number),
    });
    expect(registry.overview("a")).toMatchObject({ state: "loading", detail: "download 40 %" });
    gate.resolve();
    await use(registry, "a");
    expect(entry.loads).toBe(1);
  });

  test("a caller who goes away does not wait", async () => {
    const entry = new FakeEntry("a", MIB, [], () => new Promise(() => undefined));
    const registry = new ModelRegistry({ entries: [entry], memoryLimit: 10 * MIB });
    const controller = new AbortController();
    const waiting = registry.acquire("a", controller.signal);
    controller.abort(new Error("gone"));
    await expect(waiting).rejects.toThrow("gone");
  });

  test("a failure is told to all, and tried again after a while only", async () => {
    let fail = true;
    const entry = new FakeEntry("a", MIB, [], async () => {
      if (fail) throw new KindredError("unavailable", "no source had the file");
    });
    const registry = new ModelRegistry({ entries: [entry], memoryLimit: 10 * MIB, retryFailedAfterMs: 30 });
    const both = await Promise.allSettled([registry.acquire("a"), registry.acquire("a")]);
    for (const outcome of both)
      expect(outcome).toMatchObject({ reason: { message: "no source had the file" } });
    await expect(registry.acquire("a")).rejects.toThrow("no source had the file");
    expect(entry.loads).toBe(1);
    expect(registry.overview("a")).toMatchObject({ state: "failed", detail: "no source had the file" });
    fail = false;
    await new Promise((resolve) => setTimeout(resolve, 40));
    await use(registry, "a");
    expect(entry.loads).toBe(2);
  });
});

test("a pulled model lies in the cache and is not loaded", async () => {
  const entry = new FakeEntry("a", MIB, ["first"]);
  const registry = new ModelRegistry({ entries: [entry], memoryLimit: 10 * MIB });
  const phases: string[] = [];
  await registry.pull("first", ({ phase }) => phases.push(phase));
  expect(phases).toEqual(["compile"]);
  expect(registry.overview("a")).toMatchObject({
    state: "unloaded",
    cache: { path: "/cache/a", bytes: MIB },
  });
  expect(entry.loads).toBe(0);
  await expect(registry.pull("b", () => undefined)).rejects.toMatchObject({ kind: "not-found" });
});

test("disposing ends every model, and loads none any more", async () => {
  const entries = [new FakeEntry("a"), new FakeEntry("b")];
  const registry = new ModelRegistry({ entries, memoryLimit: 100 * MIB });
  await use(registry, "a");
  await registry[Symbol.asyncDispose]();
  expect(entries.map(({ unloads }) => unloads)).toEqual([1, 0]);
  await expect(registry.acquire("b")).rejects.toMatchObject({ kind: "unavailable" });
});
