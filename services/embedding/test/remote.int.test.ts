import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { startOpenAiServer, wrongAnswers, type Fault, type OpenAiServer } from "@kindred/testing";
import { createOpenAiProvider } from "../src/adapters/openai/openai-provider.ts";
import type { Embedder } from "../src/domain/embedder.ts";
import { createProviderAccount } from "../src/domain/remote/provider-account.ts";
import { KEY, openRemote, rejection, type RemoteOptions } from "./remote-fixture.ts";

// The remote embedder and the openai package against a real server over a real socket.

const interactive = { priority: "interactive" } as const;
const bulk = { priority: "bulk" } as const;

let server: OpenAiServer;
beforeEach(async () => {
  server = await startOpenAiServer({ apiKey: KEY });
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
});

const open = (options?: RemoteOptions): Embedder => openRemote(server, options);

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(2);
}

function rowsOf(vectors: Float32Array, width = 8): number[][] {
  return Array.from({ length: vectors.length / width }, (_, i) => [
    ...vectors.subarray(i * width, (i + 1) * width),
  ]);
}

function expectVectors(vectors: Float32Array, texts: readonly string[], width = 8): void {
  const rows = rowsOf(vectors, width);
  expect(rows).toHaveLength(texts.length);
  for (const [i, text] of texts.entries()) {
    const expected = server.vectorOf(text, { dimensions: width });
    for (const [j, value] of (rows[i] as number[]).entries())
      expect(value).toBeCloseTo(expected[j] as number, 6);
  }
}

const texts = ["a kite", "two kites", "a red kite in the sky", "a kite", "snow"];

describe("answers", () => {
  test.each(["base64", "float"] as const)("come as %s, in the order of the texts", async (encoding) => {
    const reply = await open({ encoding }).embed(texts, interactive);
    expectVectors(reply.vectors, texts);
    expect(reply.tokenCounts).toBeUndefined();
    expect(reply.truncated).toBeUndefined();
    expect(reply.totalTokens).toBe(server.tokens);
    expect(server.requests).toHaveLength(1);
    expect(server.requests[0]?.body).toEqual({
      model: "test-embedding",
      input: ["a kite", "two kites", "a red kite in the sky", "snow"],
      encoding_format: encoding,
      dimensions: 8,
    });
  });

  test("have as many dimensions as are asked for, and length 1", async () => {
    const { vectors } = await open({ dimensions: 3 }).embed(texts, interactive);
    expectVectors(vectors, texts, 3);
    for (const row of rowsOf(vectors, 3)) expect(Math.hypot(...row)).toBeCloseTo(1, 6);
  });

  test("dimensions are not sent to a model that has only its own", async () => {
    await open({ matryoshka: false }).embed(["a"], interactive);
    expect(server.requests[0]?.body).not.toHaveProperty("dimensions");
  });

  test("are put in order", async () => {
    server.inject(wrongAnswers.shuffled);
    expectVectors((await open().embed(texts, interactive)).vectors, texts);
    expect(server.requests).toHaveLength(1);
  });

  test("without token counts have an estimate", async () => {
    server.inject({ kind: "no-usage" });
    const { totalTokens } = await open().embed(["abcd"], interactive);
    expect(totalTokens).toBe(6);
  });

  test("large calls are split and keep their order", async () => {
    const many = Array.from({ length: 250 }, (_, i) => `text ${i % 240}`);
    const { vectors, totalTokens } = await open({ maxTexts: 50, maxConcurrency: 3 }).embed(many, bulk);
    expectVectors(vectors, many);
    expect(server.requests.map((request) => request.texts.length)).toEqual([50, 50, 50, 50, 40]);
    expect(totalTokens).toBe(server.tokens);
    // One place of three is kept for interactive work.
    expect(server.mostConcurrent).toBeLessThanOrEqual(2);
  });
});

describe("faults that pass", () => {
  const passing: Record<string, Fault> = {
    "429 with retry-after-ms": { kind: "status", status: 429, headers: { "retry-after-ms": "20" } },
    "429 with seconds": { kind: "status", status: 429, headers: { "retry-after": "0.02" } },
    "429 with a date": { kind: "status", status: 429, headers: { "retry-after": new Date(0).toUTCString() } },
    "429 with a reset": {
      kind: "status",
      status: 429,
      headers: { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "20ms" },
    },
    "429 without a word": { kind: "status", status: 429 },
    "500": { kind: "status", status: 500 },
    "503 with Retry-After": { kind: "status", status: 503, headers: { "retry-after": "0.02" } },
    "a proxy's page": { kind: "html", status: 502 },
    "a reset connection": { kind: "reset" },
    "a reset in the middle of the answer": { kind: "cut" },
    "truncated JSON": { kind: "truncated-json" },
    "a login page with status 200": { kind: "html", status: 200 },
    "JSON without vectors": { kind: "body", body: { object: "list" } },
    "null for an answer": { kind: "body", body: null },
    "text that is no base64": { kind: "body", body: { data: [{ index: 0, embedding: "§§§§" }] } },
  };

  test.each(Object.entries(passing))("%s", async (_name, fault) => {
    const retried: string[] = [];
    const embedder = open({ observer: { retried: ({ reason }) => void retried.push(reason) } });
    server.inject(fault);
    expectVectors((await embedder.embed(texts, interactive)).vectors, texts);
    expect(server.requests).toHaveLength(2);
    expect(retried).toHaveLength(1);
  });

  test("a stalled answer times out and is asked for again", async () => {
    server.inject({ kind: "stall" });
    const { vectors } = await open({ timeoutMs: 300 }).embed(texts, interactive);
    expectVectors(vectors, texts);
    expect(server.requests.map(({ aborted }) => aborted)).toEqual([true, false]);
  });

  test("a slow answer is waited for", async () => {
    server.inject({ kind: "delay", ms: 50 });
    const { inferenceMs } = await open().embed(texts, interactive);
    expect(server.requests).toHaveLength(1);
    expect(inferenceMs).toBeGreaterThan(0);
  });

  test("only the part that failed is sent again", async () => {
    const many = Array.from({ length: 6 }, (_, i) => `text ${i}`);
    server.inject({ kind: "none" }, { kind: "status", status: 500 });
    expectVectors((await open({ maxTexts: 2, maxConcurrency: 1 }).embed(many, bulk)).vectors, many);
    const sent = server.requests.map((request) => request.texts.join()).toSorted();
    expect(sent).toEqual(["text 0,text 1", "text 2,text 3", "text 2,text 3", "text 4,text 5"].toSorted());
  });
});

describe("faults that stay", () => {
  const { shuffled: _, ...wrong } = wrongAnswers;
  test.each(Object.entries(wrong))("a wrong answer is asked for once more: %s", async (_name, fault) => {
    server.inject(fault, fault);
    const error = await rejection(open().embed(texts, interactive));
    expect(error.kind).toBe("data-loss");
    expect(error.message).toContain("test-embedding");
    expect(server.requests).toHaveLength(2);
  });

  test.each<[Fault, string]>([
    [{ kind: "status", status: 500 }, "unavailable"],
    [{ kind: "html", status: 502, title: "502 Bad Gateway" }, "unavailable"],
    [{ kind: "reset" }, "unavailable"],
    [{ kind: "cut" }, "unavailable"],
    [{ kind: "status", status: 429, headers: { "retry-after-ms": "5" } }, "resource-exhausted"],
  ])("%j is given up in the end", async (fault, kind) => {
    server.inject(fault, fault, fault);
    const error = await rejection(open().embed(texts, interactive));
    expect(error.kind).toBe(kind);
    expect(error.metadata).toMatchObject({ provider: "test", texts_embedded: "0", texts_total: "5" });
    expect(server.requests).toHaveLength(3);
    if (kind === "resource-exhausted") expect(error.retryAfterMs).toBe(5);
  });

  test("nobody listens", async () => {
    const embedder = open();
    await server[Symbol.asyncDispose]();
    const error = await rejection(embedder.embed(["a"], interactive));
    server = await startOpenAiServer();
    expect(error.kind).toBe("unavailable");
    expect(error.message).toContain("ECONNREFUSED");
  });

  test("the time limit", async () => {
    server.inject({ kind: "delay", ms: 2000 });
    const error = await rejection(open({ timeoutMs: 100, maxAttempts: 1 }).embed(["a"], interactive));
    expect(error.kind).toBe("unavailable");
    expect(error.message).toContain("no answer within 100 ms");
  });

  test("a wait that is too long is handed to the caller", async () => {
    server.inject({ kind: "status", status: 429, headers: { "retry-after": "3600" } });
    const embedder = open();
    const error = await rejection(embedder.embed(["a"], interactive));
    expect(error.kind).toBe("resource-exhausted");
    expect(error.retryAfterMs).toBeGreaterThan(3_590_000);
    const next = await rejection(embedder.embed(["b"], interactive));
    expect(next.kind).toBe("resource-exhausted");
    expect(server.requests).toHaveLength(1);
  });
});

describe("what the provider refuses is asked for once", () => {
  test.each<[number, string, string]>([
    [401, "failed-precondition", "TEST_API_KEY"],
    [403, "failed-precondition", "TEST_API_KEY"],
    [404, "failed-precondition", "http://127.0.0.1"],
    [405, "failed-precondition", "OpenAI-compatible"],
    [409, "failed-precondition", "409"],
    [400, "invalid-argument", "texts[0..4]"],
    [413, "invalid-argument", "texts[0..4]"],
    [422, "invalid-argument", "texts[0..4]"],
  ])("%d is %s", async (status, kind, word) => {
    server.inject({ kind: "status", status, message: "no" });
    const error = await rejection(open().embed(texts, interactive));
    expect(error.kind).toBe(kind);
    expect(error.message).toContain(word);
    expect(server.requests).toHaveLength(1);
  });

  test("a model that is not there", async () => {
    const error = await rejection(open({ model: "unheard-of" }).embed(texts, interactive));
    expect(error.kind).toBe("failed-precondition");
    expect(error.message).toContain('"unheard-of"');
    expect(error.message).toContain(server.baseUrl);
  });

  test("a quota that is used up", async () => {
    server.inject({ kind: "status", status: 429, code: "insufficient_quota" });
    const error = await rejection(open().embed(texts, interactive));
    expect(error.kind).toBe("resource-exhausted");
    expect(error.message).toContain("billing");
    expect(server.requests).toHaveLength(1);
  });

  test("dimensions that the model cannot have", async () => {
    const error = await rejection(open({ dimensions: 99 }).embed(texts, interactive));
    expect(error.kind).toBe("failed-precondition");
    expect(error.message).toContain('"dimensions"');
  });

  test("a text that is too long is named where it stands in the call", async () => {
    const long = "x".repeat(40_000);
    const error = await rejection(open().embed(["a", "a", "b", long], interactive));
    expect(error.kind).toBe("invalid-argument");
    expect(error.violations.map(({ field }) => field)).toEqual(["texts[3]"]);
  });

  test("where no text is named, the longest is a hint", async () => {
    server.inject({ kind: "status", status: 400, message: "too many tokens", param: "input" });
    const error = await rejection(open().embed(texts, interactive));
    expect(error.violations[0]?.field).toBe("texts[0..4]");
    expect(error.violations[0]?.description).toContain("the longest of them is texts[2]");
  });

  test("empty texts are not even sent", async () => {
    const error = await rejection(open().embed(["a", "", "b", ""], interactive));
    expect(error.violations.map(({ field }) => field)).toEqual(["texts[1]", "texts[3]"]);
    expect(server.requests).toHaveLength(0);
  });
});

describe("the key", () => {
  test("is in no error, however the provider repeats it", async () => {
    const says = [
      `Incorrect API key provided: ${KEY}.`,
      "Incorrect API key provided: sk-se********6789. You can find yours at …",
    ];
    for (const message of says) {
      server.inject({ kind: "status", status: 401, message });
      const error = await rejection(open().embed(["a"], interactive));
      const everything = [error.message, error.stack, JSON.stringify(error), String(error.cause)].join("\n");
      expect(everything).not.toContain(KEY);
      expect(everything).not.toContain("6789");
      expect(everything).toContain("[key]");
    }
  });

  test("that cannot be sent is not shown either", () => {
    expect(() => open({ key: `${KEY}\n` })).toThrow("must be printable ASCII");
    expect(() => open({ key: `${KEY}\n` })).not.toThrow(KEY);
  });

  test("is not logged by the SDK, whatever OPENAI_LOG says", async () => {
    const spies = (["log", "debug", "info", "warn", "error"] as const).map((method) =>
      jest.spyOn(console, method).mockImplementation(() => undefined),
    );
    const before = process.env["OPENAI_LOG"];
    process.env["OPENAI_LOG"] = "debug";
    let written: unknown[];
    try {
      server.inject({ kind: "status", status: 500 });
      await open().embed(["a"], interactive);
    } finally {
      written = spies.flatMap((spy) => spy.mock.calls);
      for (const spy of spies) spy.mockRestore();
      if (before === undefined) delete process.env["OPENAI_LOG"];
      else process.env["OPENAI_LOG"] = before;
    }
    expect(server.requests).toHaveLength(2);
    expect(written).toEqual([]);
  });

  test("may be missing where none is asked for", async () => {
    await using free = await startOpenAiServer();
    const provider = createOpenAiProvider({
      baseUrl: free.baseUrl,
      apiKey: undefined,
      model: "test-embedding",
      timeoutMs: 1000,
    });
    const { vectors } = await provider.embed(["a"], { signal: new AbortController().signal });
    expect(vectors).toHaveLength(1);
    const guarded = createOpenAiProvider({
      baseUrl: server.baseUrl,
      apiKey: undefined,
      model: "test-embedding",
      timeoutMs: 1000,
    });
    await expect(guarded.embed(["a"], { signal: new AbortController().signal })).rejects.toMatchObject({
      status: 401,
    });
  });
});

describe("a caller that gives up", () => {
  test("ends the request, and hears its own reason", async () => {
    server.inject({ kind: "delay", ms: 10_000 });
    const controller = new AbortController();
    const embedding = rejection(open().embed(texts, { ...interactive, signal: controller.signal }));
    await until(() => server.requests.length === 1);
    const reason = new Error("enough");
    controller.abort(reason);
    expect(await embedding).toBe(reason);
    await until(() => server.requests[0]?.aborted === true);
    expect(server.requests).toHaveLength(1);
  });

  test("does so in the middle of an answer too", async () => {
    server.inject({ kind: "stall" });
    const controller = new AbortController();
    const embedding = rejection(open().embed(texts, { ...interactive, signal: controller.signal }));
    await until(() => server.requests.length === 1);
    await sleep(20);
    const reason = new Error("enough");
    controller.abort(reason);
    expect(await embedding).toBe(reason);
    await until(() => server.requests[0]?.aborted === true);
  });
});

describe("several at once", () => {
  test("share one limiter, whichever embedder they use", async () => {
    const account = createProviderAccount({ maxConcurrency: 2 });
    const [one, other] = [open({ account }), open({ account, dimensions: 4 })];
    for (let i = 0; i < 12; i++) server.inject({ kind: "delay", ms: 10 });
    await Promise.all(
      Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? one : other).embed([`text ${i}`], interactive)),
    );
    expect(server.requests).toHaveLength(12);
    expect(server.mostConcurrent).toBe(2);
  });

  test("a 429 for one makes all wait", async () => {
    const account = createProviderAccount({ maxConcurrency: 8 });
    const [one, other] = [open({ account }), open({ account })];
    server.inject({ kind: "status", status: 429, headers: { "retry-after-ms": "150" } });
    const first = one.embed(["a"], interactive);
    await until(() => account.limiter.pausedMs > 0);
    const second = other.embed(["b"], interactive);
    expect(account.limiter.queuedTokens("interactive")).toBeGreaterThan(0);
    expect(server.requests).toHaveLength(1);
    expect((await second).queueMs).toBeGreaterThan(50);
    await first;
    expect(server.requests).toHaveLength(3);
  });
});

describe("a call that fails half-way", () => {
  test("says how far it came, and is not charged twice", async () => {
    const many = Array.from({ length: 6 }, (_, i) => `text ${i}`);
    const embedder = open({ maxTexts: 2, maxConcurrency: 1 });
    server.inject({ kind: "none" }, { kind: "none" }, { kind: "status", status: 400, message: "no" });
    const error = await rejection(embedder.embed(many, bulk));
    expect(error.kind).toBe("invalid-argument");
    expect(error.violations[0]?.field).toBe("texts[4..5]");
    expect(error.metadata).toMatchObject({ texts_embedded: "4", texts_total: "6" });

    const reply = await embedder.embed(many, bulk);
    expectVectors(reply.vectors, many);
    expect(reply.cachedTexts).toBe(4);
    expect(server.requests.map((request) => request.texts)).toEqual([
      ["text 0", "text 1"],
      ["text 2", "text 3"],
      ["text 4", "text 5"],
      ["text 4", "text 5"],
    ]);
  });
});
