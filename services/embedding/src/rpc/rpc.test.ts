import { describe, expect, test } from "@jest/globals";
import { createClient } from "@connectrpc/connect";
import { EmbeddingService, Precision, Priority } from "@kindred/contracts/embedding/v1";
import { KindredError } from "@kindred/errors";
import { createInMemoryTransport } from "@kindred/rpc";
import { silentLogger } from "@kindred/testing";
import type { EmbedOptions } from "../domain/embedder.ts";
import type { LocalEmbedder } from "../domain/local-embedder.ts";
import { localSpace } from "../domain/embedding-space.ts";
import { MINILM } from "../domain/model.ts";
import type { ServedModel } from "../domain/served-model.ts";
import { embeddingRoutes } from "./routes.ts";

const space = localSpace(MINILM);
const MIB = 1024 * 1024;

/** Stands in for the model, to test what happens before and after it. Every vector is its text's row number. */
class FakeEmbedder implements LocalEmbedder {
  readonly space = space;
  readonly calls: { texts: readonly string[]; options: EmbedOptions }[] = [];

  async embed(texts: readonly string[], options: EmbedOptions) {
    this.calls.push({ texts, options });
    const vectors = new Float32Array(texts.length * space.dimensions);
    for (const row of texts.keys()) vectors.fill(row, row * space.dimensions, (row + 1) * space.dimensions);
    return {
      vectors,
      tokenCounts: texts.map((text) => text.length + 2),
      truncated: texts.map((text) => text.length > 5),
      totalTokens: texts.join("").length + 2 * texts.length,
      cachedTexts: 0,
      queueMs: 1500,
      tokenizeMs: 2,
      inferenceMs: 3,
    };
  }

  async tokenize(texts: readonly string[]) {
    return texts.map((text) => ({
      ids: [101, text.length, 102],
      tokens: ["[CLS]", text, "[SEP]"],
      truncated: false,
    }));
  }
}

function setUp() {
  const embedder = new FakeEmbedder();
  const served: ServedModel = {
    embedder,
    precision: "int8",
    requestedProvider: "auto",
    effectiveProvider: "cpu",
    providerReason: "no library",
    workers: 3,
    threadsPerWorker: 1,
    source: "hub",
    weightsSha256: MINILM.weights.sha256,
    maxBatchTokens: 512,
    maxQueueTokens: 1000,
  };
  const transport = createInMemoryTransport(
    embeddingRoutes(() => served),
    { logger: silentLogger() },
  );
  return { embedder, client: createClient(EmbeddingService, transport) };
}

describe("Embed", () => {
  test("packs vectors row after row as little-endian float32, with counts, flags, space and timings", async () => {
    const { client } = setUp();
    const reply = await client.embed({ texts: ["a", "longer"] });
    expect(reply.vectors).toHaveLength(2 * 384 * 4);
    const view = new DataView(reply.vectors.buffer, reply.vectors.byteOffset);
    expect([view.getFloat32(0, true), view.getFloat32(384 * 4, true)]).toEqual([0, 1]);
    expect(reply.tokenCounts).toEqual([3, 8]);
    expect(reply.truncated).toEqual([false, true]);
    expect(reply.space).toMatchObject({
      id: "local:sentence-transformers/all-MiniLM-L6-v2@53aa51172d14:384:mean:l2:256",
      provider: "local",
      model: "sentence-transformers/all-MiniLM-L6-v2",
      revision: "53aa51172d14",
      dimensions: 384,
      pooling: "mean",
      normalization: "l2",
      maxTokens: 256,
    });
    expect(reply.timings?.queue).toMatchObject({ seconds: 1n, nanos: 500_000_000 });
  });

  test.each([
    [Priority.UNSPECIFIED, "interactive"],
    [Priority.INTERACTIVE, "interactive"],
    [Priority.BULK, "bulk"],
  ])("priority %s is %s", async (priority, expected) => {
    const { client, embedder } = setUp();
    await client.embed({ texts: ["a"], priority });
    expect(embedder.calls[0]?.options.priority).toBe(expected);
  });

  test("takes the largest request that is allowed", async () => {
    const { client } = setUp();
    const texts = [...Array<string>(9_999).fill(""), "é".repeat(MIB / 2)];
    expect((await client.embed({ texts })).tokenCounts).toHaveLength(10_000);
  });

  test("takes the space that it serves", async () => {
    const { client } = setUp();
    await expect(client.embed({ texts: ["a"], expectedSpaceId: space.id })).resolves.toBeDefined();
  });

  test("refuses another space, naming both, before any work", async () => {
    const { client, embedder } = setUp();
    const expectedSpaceId = "local:other@000000000000:384:mean:l2:256";
    const refused = client.embed({ texts: ["a"], expectedSpaceId });
    await expect(refused).rejects.toMatchObject({
      kind: "failed-precondition",
      metadata: { expected_space_id: expectedSpaceId, served_space_id: space.id },
    });
    await expect(refused).rejects.toThrow(space.id);
    await expect(refused).rejects.toThrow(expectedSpaceId);
    expect(embedder.calls).toEqual([]);
  });

  test("refuses an unknown priority", async () => {
    const { client } = setUp();
    await expect(client.embed({ texts: ["a"], priority: 7 as Priority })).rejects.toMatchObject({
      kind: "invalid-argument",
      violations: [{ field: "priority", description: expect.stringContaining("is 7") }],
    });
  });

  test("passes the caller's cancellation on", async () => {
    const { client, embedder } = setUp();
    await client.embed({ texts: ["a"] });
    expect(embedder.calls[0]?.options.signal).toBeInstanceOf(AbortSignal);
  });
});

describe.each(["embed", "tokenize"] as const)("%s refuses", (method) => {
  const violationsOf = async (texts: string[]) => {
    const { client, embedder } = setUp();
    const error = await client[method]({ texts }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ kind: "invalid-argument" });
    expect(embedder.calls).toEqual([]);
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
    weightsSha256: MINILM.weights.sha256,
    limits: { maxTexts: 10_000, maxTextBytes: MIB, maxBatchTokens: 512, maxQueueTokens: 1000 },
  });
});

test("until the model is there every call says so", async () => {
  const routes = embeddingRoutes(() => {
    throw new KindredError("unavailable", "the embedding model is not ready yet (download 3 %)", {
      retryAfterMs: 1000,
    });
  });
  const client = createClient(EmbeddingService, createInMemoryTransport(routes, { logger: silentLogger() }));
  for (const call of [client.info({}), client.embed({ texts: ["a"] }), client.tokenize({ texts: ["a"] })]) {
    await expect(call).rejects.toMatchObject({ kind: "unavailable", retryAfterMs: 1000 });
  }
});
