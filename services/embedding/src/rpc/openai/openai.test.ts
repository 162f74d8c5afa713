import { request as httpRequest } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import OpenAI from "openai";
import { loadConfig } from "@kindred/config";
import { KindredError } from "@kindred/errors";
import { serve, serverSettings, type RpcServer } from "@kindred/rpc";
import { silentLogger } from "@kindred/testing";
import { DIMENSIONS, setUp } from "../rpc-fixture.ts";
import { openAiRoutes } from "./routes.ts";

const MAX_BODY_BYTES = 100_000;

let stage: ReturnType<typeof setUp>;
let server: RpcServer;
let baseURL: string;
let client: OpenAI;
const faults: unknown[] = [];

beforeAll(async () => {
  stage = setUp({ maxConcurrent: 3 });
  const config = loadConfig(serverSettings({ grpcPort: 0, httpPort: 0 }), {});
  server = await serve({
    config,
    routes: () => undefined,
    httpRoutes: openAiRoutes(stage.deps, {
      maxBodyBytes: MAX_BODY_BYTES,
      onFault: (error) => void faults.push(error),
    }),
    logger: silentLogger(),
  });
  baseURL = `http://127.0.0.1:${server.httpPort}/v1`;
  client = new OpenAI({ baseURL, apiKey: "anything", maxRetries: 0 });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});
beforeEach(() => {
  for (const { embedder } of [stage.first, stage.second, stage.remote]) {
    embedder.before = async () => undefined;
    embedder.calls.length = 0;
  }
  faults.length = 0;
});

async function post(body: string | object, path = "/embeddings"): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${baseURL}${path}`, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

describe("the official client", () => {
  test("gets floats, which travel as base64 unless it asks for numbers", async () => {
    const byDefault = await client.embeddings.create({ model: "first", input: ["a", "bc"] });
    const asNumbers = await client.embeddings.create({
      model: "first",
      input: ["a", "bc"],
      encoding_format: "float",
    });
    for (const reply of [byDefault, asNumbers]) {
      expect(reply).toMatchObject({
        object: "list",
        model: "first",
        data: [
          { object: "embedding", index: 0, embedding: Array(DIMENSIONS).fill(0) },
          { object: "embedding", index: 1, embedding: Array(DIMENSIONS).fill(1) },
        ],
        usage: { prompt_tokens: 7, total_tokens: 7 },
      });
    }
  });

  test("may send one text, tokens, or lists of tokens", async () => {
    await client.embeddings.create({ model: "first", input: "one text" });
    await client.embeddings.create({ model: "first", input: [5, 6, 7] });
    await client.embeddings.create({ model: "first", input: [[5], [6, 7]] });
    expect(stage.first.embedder.calls.map(({ texts }) => texts)).toEqual([
      ["one text"],
      [[5, 6, 7]],
      [[5], [6, 7]],
    ]);
  });

  test("gets shorter vectors, scaled to length 1, from a model that allows it", async () => {
    const { data } = await client.embeddings.create({ model: "second", input: ["a", "b"], dimensions: 2 });
    expect(data[1]?.embedding).toHaveLength(2);
    expect(data[1]?.embedding[0]).toBeCloseTo(Math.SQRT1_2, 6);
    // A vector of zeros has no length.
    expect(data[0]?.embedding).toEqual([0, 0]);
  });

  test("lists the models and gets one by name or alias, also with a slash", async () => {
    const listed = [];
    for await (const model of client.models.list()) listed.push(model.id);
    expect(listed).toEqual(["first", "far/away", "second"]);
    for (const id of ["first", "org/first", "far/away"]) {
      await expect(client.models.retrieve(id)).resolves.toMatchObject({ id, object: "model" });
    }
  });

  test("gets errors as its own classes", async () => {
    const { embeddings } = client;
    await expect(embeddings.create({ model: "third", input: "a" })).rejects.toMatchObject({
      name: "Error",
      status: 404,
      code: "model_not_found",
      param: "model",
      type: "invalid_request_error",
    });
    await expect(embeddings.create({ model: "first", input: "a", dimensions: 3 })).rejects.toBeInstanceOf(
      OpenAI.BadRequestError,
    );
    stage.first.embedder.before = async () => {
      throw new KindredError("resource-exhausted", "the queue is full", { retryAfterMs: 1500 });
    };
    const full = await embeddings.create({ model: "first", input: "a" }).catch((error: unknown) => error);
    expect(full).toBeInstanceOf(OpenAI.RateLimitError);
    const { headers, code } = full as InstanceType<typeof OpenAI.RateLimitError>;
    expect([code, headers?.get("retry-after"), headers?.get("retry-after-ms")]).toEqual([
      "rate_limit_exceeded",
      "2",
      "1500",
    ]);
  });

  test("comes again by itself when it is told when", async () => {
    let refusals = 1;
    stage.first.embedder.before = async () => {
      if (refusals-- > 0) throw new KindredError("unavailable", "not ready yet", { retryAfterMs: 5 });
    };
    const patient = new OpenAI({ baseURL, apiKey: "anything", maxRetries: 2 });
    await expect(patient.embeddings.create({ model: "first", input: "a" })).resolves.toBeDefined();
    expect(stage.first.embedder.calls).toHaveLength(2);
  });
});

test("without a model the default one answers, and says its name", async () => {
  await expect(post({ input: "a" })).resolves.toMatchObject({ status: 200, body: { model: "first" } });
});

test("few texts are taken for a search, many for documents", async () => {
  await post({ input: Array(16).fill("a") });
  await post({ input: Array(17).fill("a") });
  expect(stage.first.embedder.calls.map(({ options }) => options.priority)).toEqual(["interactive", "bulk"]);
});

describe("refuses", () => {
  test.each([
    ["no JSON", "{", null, "the body is not JSON"],
    ["no object", "[1]", null, "the body must be a JSON object"],
    ["no input", {}, "input", "input is missing"],
    ["an empty list", { input: [] }, "input", "must not be empty"],
    ["texts and tokens together", { input: ["a", 1] }, "input", "all of one kind"],
    ["an empty list of tokens", { input: [[1], []] }, "input", "none empty"],
    ["a number", { input: 5 }, "input", "must be a text"],
    ["too many texts", { input: Array(10_001).fill("") }, "input", "must have 1 to 10000"],
    ["a model that is no text", { input: "a", model: 5 }, "model", "must be a text"],
    ["an unknown encoding", { input: "a", encoding_format: "hex" }, "encoding_format", '"float" or "base64"'],
    ["no number of dimensions", { input: "a", dimensions: 0.5 }, "dimensions", "an integer"],
    ["other dimensions", { input: "a", dimensions: 5 }, "dimensions", "must be 4 with this model, is 5"],
    ["more dimensions", { input: "a", model: "second", dimensions: 5 }, "dimensions", "must be 1 to 4"],
    ["tokens beyond the vocabulary", { input: [[1], [2000]] }, "input", "input[1] has the token id 2000"],
    ["tokens for a provider", { input: [1], model: "far/away" }, "input", "takes texts only"],
  ])("%s", async (_what, body, param, message) => {
    await expect(post(body)).resolves.toMatchObject({
      status: 400,
      body: {
        error: {
          message: expect.stringContaining(message),
          type: "invalid_request_error",
          param,
          code: null,
        },
      },
    });
    expect(stage.first.embedder.calls).toEqual([]);
  });

  test("a body that is too large, whether it says so or not", async () => {
    const body = JSON.stringify({ input: "a".repeat(MAX_BODY_BYTES) });
    await expect(post(body)).resolves.toMatchObject({ status: 413 });
    const chunked = await new Promise<number | undefined>((resolve, reject) => {
      const request = httpRequest(`${baseURL}/embeddings`, { method: "POST" }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      request.on("error", reject);
      request.write(body.slice(0, 10));
      request.end(body.slice(10));
    });
    expect(chunked).toBe(413);
  });

  test("calls beyond the limit", async () => {
    const gate = Promise.withResolvers<void>();
    stage.first.embedder.before = () => gate.promise;
    const calls = Array.from({ length: 3 }, () => post({ input: "a" }));
    while (stage.deps.admission.inProgress < 3) await new Promise((resolve) => setTimeout(resolve, 1));
    await expect(post({ input: "a" })).resolves.toMatchObject({
      status: 429,
      body: { error: { code: "rate_limit_exceeded" } },
    });
    gate.resolve();
    for (const call of calls) await expect(call).resolves.toMatchObject({ status: 200 });
    expect(stage.deps.admission.inProgress).toBe(0);
  });
});

test("what nobody expected is reported, and not told to the client", async () => {
  stage.first.embedder.before = async () => {
    throw new Error("a secret detail");
  };
  await expect(post({ input: "a" })).resolves.toEqual({
    status: 500,
    body: { error: { message: "internal error", type: "server_error", param: null, code: null } },
  });
  expect(faults).toMatchObject([{ message: "a secret detail" }]);
});

test("a client that goes away gives up its work", async () => {
  const arrived = Promise.withResolvers<AbortSignal | undefined>();
  stage.first.embedder.before = async () => {
    arrived.resolve(stage.first.embedder.calls[0]?.options.signal);
    await new Promise(() => undefined);
  };
  const gone = new AbortController();
  const call = fetch(`${baseURL}/embeddings`, {
    method: "POST",
    body: JSON.stringify({ input: "a" }),
    signal: gone.signal,
  }).catch(() => undefined);
  const signal = await arrived.promise;
  gone.abort();
  await call;
  if (!signal?.aborted) await new Promise((resolve) => signal?.addEventListener("abort", resolve));
  expect(signal?.aborted).toBe(true);
  expect(faults).toEqual([]);
});
