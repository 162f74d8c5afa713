import { describe, expect, test } from "@jest/globals";
import { ModelState, Precision, Priority } from "@kindred/contracts/embedding/v1";
import { KindredError } from "@kindred/errors";
import { DIMENSIONS, setUp, WEIGHTS_SHA256 } from "./rpc-fixture.ts";

const MIB = 1024 * 1024;

describe("Embed", () => {
  test("packs vectors row after row as little-endian float32, with counts, flags, space and timings", async () => {
    const { client } = setUp();
    const reply = await client.embed({ texts: ["a", "longer"] });
    expect(reply.vectors).toHaveLength(2 * DIMENSIONS * 4);
    const view = new DataView(reply.vectors.buffer, reply.vectors.byteOffset);
    expect([view.getFloat32(0, true), view.getFloat32(DIMENSIONS * 4, true)]).toEqual([0, 1]);
    expect(reply.tokenCounts).toEqual([3, 8]);
    expect(reply.truncated).toEqual([false, true]);
    expect(reply.space).toMatchObject({
      id: "local:first@53aa51172d14:4:mean:l2:256",
      provider: "local",
      model: "first",
      revision: "53aa51172d14",
      dimensions: 4,
      pooling: "mean",
      normalization: "l2",
      maxTokens: 256,
    });
    expect([reply.totalTokens, reply.cachedTexts]).toEqual([11n, 0]);
    expect(reply.timings?.queue).toMatchObject({ seconds: 1n, nanos: 500_000_000 });
  });

  test.each([
    [Priority.UNSPECIFIED, "interactive"],
    [Priority.INTERACTIVE, "interactive"],
    [Priority.BULK, "bulk"],
  ])("priority %s is %s", async (priority, expected) => {
    const { client, first } = setUp();
    await client.embed({ texts: ["a"], priority });
    expect(first.embedder.calls[0]?.options.priority).toBe(expected);
  });

  test("takes the largest request that is allowed", async () => {
    const { client } = setUp();
    const texts = [...Array<string>(9_999).fill(""), "é".repeat(MIB / 2)];
    expect((await client.embed({ texts })).tokenCounts).toHaveLength(10_000);
  });

  test("takes the space that it serves", async () => {
    const { client, first } = setUp();
    const expectedSpaceId = first.space.id;
    await expect(client.embed({ texts: ["a"], expectedSpaceId })).resolves.toBeDefined();
  });

  test("takes the model of the expected space where none is named", async () => {
    const { client, second } = setUp();
    const reply = await client.embed({ texts: ["a"], expectedSpaceId: second.space.id });
    expect(reply.space?.id).toBe(second.space.id);
    const named = client.embed({ texts: ["a"], model: "first", expectedSpaceId: second.space.id });
    await expect(named).rejects.toMatchObject({ kind: "failed-precondition" });
  });

  test("refuses another space, naming both, before any work", async () => {
    const { client, first } = setUp();
    const expectedSpaceId = "local:other@000000000000:384:mean:l2:256";
    const refused = client.embed({ texts: ["a"], expectedSpaceId });
    await expect(refused).rejects.toMatchObject({
      kind: "failed-precondition",
      metadata: { expected_space_id: expectedSpaceId, served_space_id: first.space.id },
    });
    await expect(refused).rejects.toThrow(first.space.id);
    await expect(refused).rejects.toThrow(expectedSpaceId);
    expect(first.embedder.calls).toEqual([]);
  });

  test("refuses an unknown priority", async () => {
    const { client } = setUp();
    await expect(client.embed({ texts: ["a"], priority: 7 as Priority })).rejects.toMatchObject({
      kind: "invalid-argument",
      violations: [{ field: "priority", description: expect.stringContaining("is 7") }],
    });
  });

  test("passes the caller's cancellation on", async () => {
    const { client, first } = setUp();
    await client.embed({ texts: ["a"] });
    expect(first.embedder.calls[0]?.options.signal).toBeInstanceOf(AbortSignal);
  });
});

describe.each(["embed", "tokenize"] as const)("%s refuses", (method) => {
  const violationsOf = async (texts: string[]) => {
    const { client, first } = setUp();
    const error = await client[method]({ texts }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ kind: "invalid-argument" });
    expect(first.embedder.calls).toEqual([]);
    return (error as KindredError).violations;
  };

  test("an empty list", async () => {
    await expect(violationsOf([])).resolves.toEqual([
      { field: "texts", description: "must have 1 to 10000 texts, has 0: give at least one text" },
    ]);
  });

  test("too many texts", async () => {
    await expect(violationsOf(Array<string>(10_001).fill("a"))).resolves.toEqual([
      { field: "texts", description: "must have 1 to 10000 texts, has 10001: split the request" },
    ]);
  });

  test("texts over 1 MiB of UTF-8, all of them by name", async () => {
    const violations = await violationsOf(["ok", "a".repeat(MIB + 1), "ok", "é".repeat(MIB / 2 + 1)]);
    expect(violations.map((violation) => violation.field)).toEqual(["texts[1]", "texts[3]"]);
    expect(violations[1]?.description).toContain(`has ${MIB + 2}`);
  });

  test("with ten names at most", async () => {
    await expect(violationsOf(Array<string>(30).fill("a".repeat(MIB + 1)))).resolves.toHaveLength(10);
  });
});

test("Tokenize gives ids and tokens in the order of the texts", async () => {
  const { client } = setUp();
  const reply = await client.tokenize({ texts: ["a", "bcd"] });
  expect(reply.results.map(({ ids, tokens }) => [ids, tokens])).toEqual([
    [
      [101, 1, 102],
      ["[CLS]", "a", "[SEP]"],
    ],
    [
      [101, 3, 102],
      ["[CLS]", "bcd", "[SEP]"],
    ],
  ]);
});

test("Info tells how the model is run and what limits hold", async () => {
  const { client } = setUp();
  await expect(client.info({})).resolves.toMatchObject({
    precision: Precision.INT8,
    requestedExecutionProvider: "auto",
    effectiveExecutionProvider: "cpu",
    executionProviderReason: "no library",
    workers: 3,
    threadsPerWorker: 1,
    modelSource: "hub",
    weightsSha256: WEIGHTS_SHA256,
    limits: {
      maxTexts: 10_000,
      maxTextBytes: MIB,
      maxBatchTokens: 512,
      maxQueueTokens: 1000,
      maxConcurrentRequests: 512,
    },
    model: "first",
    aliases: ["org/first"],
  });
});

describe("models", () => {
  test("are found by name and by alias, in every call", async () => {
    const { client, first, second } = setUp();
    await client.embed({ texts: ["a"], model: "org/first" });
    await client.embed({ texts: ["b"], model: "second" });
    expect([first.embedder.calls.length, second.embedder.calls.length]).toEqual([1, 1]);
    await expect(client.info({ model: "second" })).resolves.toMatchObject({ model: "second", aliases: [] });
    await expect(client.tokenize({ texts: ["a"], model: "second" })).resolves.toBeDefined();
  });

  test("that are not served are NOT_FOUND, and those that are are named", async () => {
    const { client } = setUp();
    const missing = {
      kind: "not-found",
      message: expect.stringContaining("served are first, second, far/away"),
    };
    await expect(client.embed({ texts: ["a"], model: "third" })).rejects.toMatchObject(missing);
    await expect(client.info({ model: "third" })).rejects.toMatchObject(missing);
    await expect(client.tokenize({ texts: ["a"], model: "third" })).rejects.toMatchObject(missing);
    const pulling = client.pullModel({ model: "third" })[Symbol.asyncIterator]().next();
    await expect(pulling).rejects.toMatchObject(missing);
  });

  test("of remote providers have no tokens to show", async () => {
    const { client } = setUp();
    await expect(client.tokenize({ texts: ["a"], model: "far/away" })).rejects.toMatchObject({
      kind: "unimplemented",
    });
    await expect(client.info({ model: "far/away" })).resolves.toMatchObject({
      precision: Precision.UNSPECIFIED,
      requestedExecutionProvider: "remote",
      effectiveExecutionProvider: "remote",
      pricePerMillionTokens: 0.1,
      modelSource: "https://provider.example/v1",
      weightsSha256: "",
    });
  });

  test("are listed with what became of them", async () => {
    const { client } = setUp();
    await client.embed({ texts: ["a"] });
    const { models } = await client.listModels({});
    expect(models.map(({ name, isDefault, state }) => [name, isDefault, state])).toEqual([
      ["first", true, ModelState.READY],
      ["far/away", false, ModelState.UNLOADED],
      ["second", false, ModelState.UNLOADED],
    ]);
    expect(models[0]).toMatchObject({
      aliases: ["org/first"],
      provider: "local",
      precision: Precision.INT8,
      memoryBytes: 1000n,
      cachePath: "/cache/first",
      cacheBytes: 4000n,
      requestCount: 1n,
      lastUsed: expect.anything(),
    });
    expect(models[1]?.lastUsed).toBeUndefined();
  });

  test("are pulled with progress, and not loaded", async () => {
    const { client } = setUp();
    const updates = [];
    for await (const { update } of client.pullModel({ model: "second" })) updates.push(update);
    expect(updates[0]).toMatchObject({
      case: "progress",
      value: { phase: "download", done: 10n, total: 4000n },
    });
    expect(updates.at(-1)).toMatchObject({
      case: "model",
      value: { name: "second", state: ModelState.UNLOADED, cachePath: "/cache/second" },
    });
  });
});

describe("too many calls at once", () => {
  test("are refused at once, and the others are answered", async () => {
    const { client, first } = setUp({ maxConcurrent: 2 });
    const gate = Promise.withResolvers<void>();
    first.embedder.before = () => gate.promise;
    const calls = [client.embed({ texts: ["a"] }), client.embed({ texts: ["b"] })];
    await new Promise((resolve) => setTimeout(resolve, 10));
    for (const call of [client.embed({ texts: ["c"] }), client.tokenize({ texts: ["c"] })]) {
      await expect(call).rejects.toMatchObject({
        kind: "resource-exhausted",
        retryAfterMs: expect.any(Number),
      });
    }
    gate.resolve();
    await expect(Promise.all(calls)).resolves.toHaveLength(2);
    await expect(client.embed({ texts: ["c"] })).resolves.toBeDefined();
  });

  test("are refused as streams too", async () => {
    const { client, first } = setUp({ maxConcurrent: 1 });
    const gate = Promise.withResolvers<void>();
    first.embedder.before = () => gate.promise;
    const call = client.embed({ texts: ["a"] });
    await new Promise((resolve) => setTimeout(resolve, 10));
    const one = async function* () {
      yield { texts: ["b"] };
    };
    const refused = client.embedStream(one())[Symbol.asyncIterator]().next();
    await expect(refused).rejects.toMatchObject({ kind: "resource-exhausted" });
    gate.resolve();
    await call;
  });
});
