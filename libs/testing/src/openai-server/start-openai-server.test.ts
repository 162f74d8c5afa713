import { expect, test } from "@jest/globals";
import { startOpenAiServer } from "./start-openai-server.ts";

async function post(baseUrl: string, body: unknown, key?: string) {
  const response = await fetch(`${baseUrl}/embeddings`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(key === undefined ? undefined : { authorization: `Bearer ${key}` }),
    },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const model = "test-embedding";

test("answers a text, texts, tokens and token arrays, as numbers or in base64", async () => {
  await using server = await startOpenAiServer();
  const vector = [...server.vectorOf("a kite")];
  const one = await post(server.baseUrl, { model, input: "a kite" });
  expect(one).toEqual({
    status: 200,
    body: {
      object: "list",
      model,
      data: [{ object: "embedding", index: 0, embedding: vector }],
      usage: { prompt_tokens: 2, total_tokens: 2 },
    },
  });
  const packed = await post(server.baseUrl, { model, input: ["a kite"], encoding_format: "base64" });
  const [{ embedding }] = packed.body["data"] as [{ embedding: string }];
  expect(Buffer.from(embedding, "base64")).toEqual(Buffer.from(Float32Array.from(vector).buffer));

  const tokens = await post(server.baseUrl, { model, input: [1, 2, 3] });
  expect(tokens.body["usage"]).toEqual({ prompt_tokens: 3, total_tokens: 3 });
  expect((tokens.body["data"] as unknown[]).length).toBe(1);
  const arrays = await post(server.baseUrl, { model, input: [[1, 2], [3]] });
  expect((arrays.body["data"] as unknown[]).length).toBe(2);
  expect(server.tokens).toBe(2 + 2 + 3 + 3);
  expect(server.requests.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
});

test("vectors have length 1 at any number of dimensions, and differ as the texts do", async () => {
  await using server = await startOpenAiServer({ models: { large: { dimensions: 64, matryoshka: true } } });
  const full = server.vectorOf("a");
  const cut = server.vectorOf("a", { dimensions: 5 });
  expect(full).toHaveLength(64);
  for (const vector of [full, cut]) expect(Math.hypot(...vector)).toBeCloseTo(1, 6);
  expect((cut[1] as number) / (cut[0] as number)).toBeCloseTo((full[1] as number) / (full[0] as number), 5);
  expect(server.vectorOf("b")).not.toEqual(full);
  const reply = await post(server.baseUrl, { model: "large", input: "a", dimensions: 5 });
  expect(reply.body["data"]).toMatchObject([{ embedding: [...cut] }]);
});

test("lists its models, and refuses in OpenAI's shape", async () => {
  await using server = await startOpenAiServer({ apiKey: "sk-1", models: { old: { dimensions: 4 } } });
  const models = await fetch(`${server.baseUrl}/models`, { headers: { authorization: "Bearer sk-1" } });
  expect(await models.json()).toMatchObject({ object: "list", data: [{ id: "old", object: "model" }] });

  const refused = async (body: unknown, key = "sk-1") => {
    const { status, body: answer } = await post(server.baseUrl, body, key);
    const { error } = answer as { error: { param: string | null; code: string | null } };
    return [status, error.param, error.code];
  };
  expect(await refused({ model: "old", input: "a" }, "sk-2")).toEqual([401, null, "invalid_api_key"]);
  expect(await refused({ model: "new", input: "a" })).toEqual([404, null, "model_not_found"]);
  expect(await refused({ model: "old", input: "" })).toEqual([400, "input", null]);
  expect(await refused({ model: "old", input: [] })).toEqual([400, "input", null]);
  expect(await refused({ model: "old", input: ["a", 1] })).toEqual([400, "input", null]);
  expect(await refused({ model: "old", input: "a", dimensions: 2 })).toEqual([400, "dimensions", null]);
  expect(await refused({ model: "old", input: "a", encoding_format: "int8" })).toEqual([
    400,
    "encoding_format",
    null,
  ]);
});

test("faults come in order, and then those of the function", async () => {
  await using server = await startOpenAiServer({
    fault: ({ number }) => (number === 2 ? { kind: "status", status: 503 } : undefined),
  });
  server.inject({ kind: "status", status: 500 });
  const statuses: number[] = [];
  for (let i = 0; i < 4; i++) statuses.push((await post(server.baseUrl, { model, input: "a" })).status);
  expect(statuses).toEqual([500, 200, 503, 200]);
});
