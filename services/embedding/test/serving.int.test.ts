import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import OpenAI from "openai";
import { ModelState, Precision, Priority } from "@kindred/contracts/embedding/v1";
import { startOpenAiServer, type OpenAiServer } from "@kindred/testing";
import { cosine, startService, vectorsOf, type RunningService } from "./fixture.ts";
import { sentences } from "./reference-texts.ts";

const MINILM = "all-MiniLM-L6-v2";
const KEY = "the-key-of-the-test";
const TINY = fileURLToPath(new URL("./models/bert-mean", import.meta.url));

let folder: string;
let provider: OpenAiServer;
let service: RunningService;
let http: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "kindred-serving-"));
  provider = await startOpenAiServer({
    apiKey: KEY,
    models: { "far-embedding": { dimensions: 16, matryoshka: true } },
  });
  const catalogue = {
    models: [
      { name: "tiny", directory: TINY, aliases: ["small"] },
      { name: "tiny-int8", directory: TINY, precision: "int8" },
      {
        name: "far",
        kind: "remote",
        provider: "elsewhere",
        baseUrl: provider.baseUrl,
        model: "far-embedding",
        dimensions: 16,
        matryoshka: true,
        apiKeyVariable: "FAR_API_KEY",
      },
    ],
  };
  await writeFile(join(folder, "catalogue.json"), JSON.stringify(catalogue));
  service = await startService({
    EMBEDDING_PRECISION: "int8",
    EMBEDDING_CATALOGUE: join(folder, "catalogue.json"),
    EMBEDDING_MODELS: `${MINILM}, tiny, tiny-int8, far`,
    FAR_API_KEY: KEY,
  });
  http = `http://127.0.0.1:${service.app.ready.httpPort}`;
}, 120_000);

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await provider[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function metric(line: RegExp): Promise<number> {
  const text = await (await fetch(`${http}/metrics`)).text();
  const [, value] = line.exec(text) ?? [];
  return Number(value ?? 0);
}

describe("EmbedStream", () => {
  test("gives the vectors that Embed gives, in order, for any number of texts", async () => {
    const texts = sentences(3000);
    const sizes = [1, 0, 700, 5, 2294];
    const requests = async function* () {
      let from = 0;
      for (const size of sizes) {
        yield { texts: texts.slice(from, from + size) };
        from += size;
      }
    };
    const streamed: Float32Array[] = [];
    let spaceId = "";
    for await (const reply of service.client.embedStream(requests(), { timeoutMs: 60_000 })) {
      expect(reply.firstText).toBe(BigInt(streamed.length));
      spaceId ||= reply.space?.id ?? "";
      streamed.push(...vectorsOf({ vectors: reply.vectors, dimensions: 384 }));
    }
    expect(streamed).toHaveLength(3000);
    expect(spaceId).toContain(MINILM);
    const picked = [0, 1, 700, 705, 706, 2999];
    const reply = await service.client.embed({
      texts: picked.map((i) => texts[i] as string),
      priority: Priority.BULK,
    });
    for (const [row, vector] of vectorsOf(reply).entries()) {
      expect(cosine(vector, streamed[picked[row] as number] as Float32Array)).toBeGreaterThan(0.999_999);
    }
  }, 60_000);

  test("a sender that is far ahead is held back", async () => {
    const total = 400;
    let sent = 0;
    const requests = async function* () {
      const rest = " and so on".repeat(500);
      // The first is answered at once; what is behind it takes minutes, which nobody waits for.
      yield { texts: ["a cat"] };
      for (; sent < total; sent++) yield { texts: sentences(100).map((text) => `${sent} ${text}${rest}`) };
    };
    const controller = new AbortController();
    const replies = service.client.embedStream(requests(), { signal: controller.signal });
    await replies[Symbol.asyncIterator]().next();
    await new Promise((resolve) => setTimeout(resolve, 300));
    // 200 MB of texts are on offer; the window takes some of them, and the connection's buffers some more.
    expect(sent).toBeLessThan(total / 2);
    controller.abort();
  }, 60_000);
});

describe("the cache of recent vectors", () => {
  test("answers a search that comes again, and says so", async () => {
    const texts = ["a search that comes again"];
    const first = await service.client.embed({ texts });
    const second = await service.client.embed({ texts });
    expect([first.cachedTexts, second.cachedTexts]).toEqual([0, 1]);
    expect(second.vectors).toEqual(first.vectors);
    expect(second).toMatchObject({
      tokenCounts: first.tokenCounts,
      truncated: first.truncated,
      totalTokens: first.totalTokens,
      space: first.space,
    });
    await expect(
      metric(
        /^kindred_embedding_texts_total\{model="all-MiniLM-L6-v2",priority="interactive",from="cache".*\} (\d+)/m,
      ),
    ).resolves.toBeGreaterThan(0);
    await expect(metric(/^kindred_embedding_cache_entries\{.*\} (\d+)/m)).resolves.toBeGreaterThan(0);
  });

  test("is not driven out by bulk work", async () => {
    const texts = ["a text of an import"];
    await service.client.embed({ texts, priority: Priority.BULK });
    expect((await service.client.embed({ texts })).cachedTexts).toBe(0);
  });
});

describe("several models in one service", () => {
  test("are loaded when they are asked for, each with its own space", async () => {
    const before = (await service.client.listModels({})).models;
    expect(before.map(({ name, isDefault, state }) => [name, isDefault, state])).toEqual([
      [MINILM, true, ModelState.READY],
      ["far", false, ModelState.UNLOADED],
      ["tiny", false, ModelState.UNLOADED],
      ["tiny-int8", false, ModelState.UNLOADED],
    ]);
    const [large, tiny, tinyInt8] = await Promise.all(
      ["", "small", "tiny-int8"].map((model) => service.client.embed({ texts: ["a cat"], model })),
    );
    expect(large?.space?.dimensions).toBe(384);
    expect(tiny?.space).toMatchObject({ provider: "local", model: "tiny", dimensions: 32 });
    // Precision is no part of the space, and changes little.
    expect(tinyInt8?.space?.revision).toBe(tiny?.space?.revision);
    const [a, b] = [tiny, tinyInt8].map((reply) => vectorsOf(reply as NonNullable<typeof reply>)[0]);
    expect(cosine(a as Float32Array, b as Float32Array)).toBeGreaterThan(0.95);
    const { models } = await service.client.listModels({});
    expect(models.find(({ name }) => name === "tiny")).toMatchObject({
      state: ModelState.READY,
      precision: Precision.INT8,
      requestCount: 1n,
      cachePath: expect.stringContaining("tiny"),
    });
    expect(models.find(({ name }) => name === "tiny")?.memoryBytes).toBeGreaterThan(0n);
  }, 60_000);

  test("are pulled with progress", async () => {
    const updates = [];
    for await (const { update } of service.client.pullModel({ model: MINILM })) updates.push(update);
    expect(updates.at(-1)).toMatchObject({
      case: "model",
      value: { name: MINILM, state: ModelState.READY, cachePath: expect.stringContaining("model.onnx") },
    });
  });
});

describe("a model of a remote provider", () => {
  test("is embedded with by the same call, and its answer checked and counted", async () => {
    const texts = ["far away", "and back"];
    const reply = await service.client.embed({ texts, model: "far" });
    expect(reply.space).toMatchObject({ provider: "elsewhere", model: "far-embedding", dimensions: 16 });
    expect([reply.tokenCounts, reply.truncated]).toEqual([[], []]);
    expect(reply.totalTokens).toBe(BigInt(provider.tokens));
    for (const [i, vector] of vectorsOf(reply).entries()) {
      expect(cosine(vector, provider.vectorOf(texts[i] as string, { model: "far-embedding" }))).toBeCloseTo(
        1,
        5,
      );
    }
    await expect(
      metric(
        /^kindred_embedding_remote_request_duration_seconds_count\{[^}]*model="far"[^}]*outcome="200"[^}]*\} (\d+)/m,
      ),
    ).resolves.toBe(1);
  });

  test("is asked again after a 429, as it is told, and never after another 4xx", async () => {
    const asked = provider.requests.length;
    provider.inject({ kind: "status", status: 429, headers: { "retry-after-ms": "20" } });
    await expect(service.client.embed({ texts: ["patience"], model: "far" })).resolves.toBeDefined();
    expect(provider.requests.length - asked).toBe(2);
    provider.inject({ kind: "status", status: 403 });
    const refused = service.client.embed({ texts: ["no way"], model: "far" });
    await expect(refused).rejects.toMatchObject({
      kind: "failed-precondition",
      message: expect.stringContaining("FAR_API_KEY"),
    });
    await expect(refused).rejects.not.toThrow(KEY);
    expect(provider.requests.length - asked).toBe(3);
    await expect(
      metric(/^kindred_embedding_remote_retries_total\{model="far",reason="rate-limited".*\} (\d+)/m),
    ).resolves.toBe(1);
  });
});

describe("the OpenAI API", () => {
  test("gives the official client the vectors that Embed gives", async () => {
    const client = new OpenAI({ baseURL: `${http}/v1`, apiKey: "anything" });
    const input = ["a dog in the snow", "two bicycles"];
    const { data, model, usage } = await client.embeddings.create({ model: "minilm", input });
    const reply = await service.client.embed({ texts: input });
    expect(model).toBe(MINILM);
    expect(usage.prompt_tokens).toBe(Number(reply.totalTokens));
    for (const [i, vector] of vectorsOf(reply).entries()) expect(data[i]?.embedding).toEqual([...vector]);
    const { results } = await service.client.tokenize({ texts: input });
    const fromTokens = await client.embeddings.create({
      model: MINILM,
      input: results.map(({ ids }) => ids.slice(1, -1)),
    });
    for (const [i, { embedding }] of fromTokens.data.entries()) {
      expect(cosine(embedding, data[i]?.embedding ?? [])).toBeGreaterThan(0.999_999);
    }
    await expect(client.models.list()).resolves.toMatchObject({ data: [{ id: MINILM }, {}, {}, {}] });
  });
});

test("queues, batches and durations are shown to Prometheus", async () => {
  await service.client.embed({ texts: ["one more text that nobody has asked for"] });
  const of = (name: string) =>
    metric(new RegExp(`^kindred_embedding_${name}\\{[^}]*${MINILM}[^}]*\\} (\\S+)`, "m"));
  for (const name of [
    "batch_texts_count",
    "batch_tokens_sum",
    "inference_duration_seconds_sum",
    "queue_duration_seconds_count",
    "tokenize_duration_seconds_count",
    "request_duration_seconds_count",
    "tokens_total",
  ]) {
    expect([name, (await of(name)) > 0]).toEqual([name, true]);
  }
  await expect(of("queue_tokens")).resolves.toBe(0);
  await expect(
    metric(
      /^kindred_embedding_model_info\{model="all-MiniLM-L6-v2",provider="cpu",precision="int8".*\} (\d)/m,
    ),
  ).resolves.toBe(1);
});

test("a bad catalogue is refused at start, with every bad field", async () => {
  const path = join(folder, "bad.json");
  await writeFile(
    path,
    JSON.stringify({
      models: [
        { name: "x", revision: "main" },
        { kind: "remote", name: "y", dimension: 5 },
      ],
    }),
  );
  const starting = startService({ EMBEDDING_CATALOGUE: path, EMBEDDING_MODELS: "x" });
  await expect(starting).rejects.toMatchObject({
    name: "ConfigError",
    message: expect.stringMatching(
      /models\[0\]\.repository is missing[^]*models\[0\]\.revision must be the 40[^]*models\[1\]\.provider is missing[^]*models\[1\]\.dimension is no field here/,
    ),
  });
  await expect(startService({ EMBEDDING_MODELS: "nobody" })).rejects.toThrow(
    /EMBEDDING_MODELS names nobody, which nobody knows; known are all-MiniLM-L6-v2, fireworks\/qwen3-embedding-8b/,
  );
});
