import { describe, expect, test } from "@jest/globals";
import type { KindredError } from "@kindred/errors";
import * as fc from "fast-check";
import type { Priority } from "../embedder.ts";
import { FakeClock, settleWork } from "./clock-fixture.ts";
import { completeRemoteSpec, type PartialRemoteSpec } from "./presets.ts";
import { ProviderFailure, type EmbeddingProvider, type ProviderAnswer } from "./provider.ts";
import { createProviderAccount } from "./provider-account.ts";
import { createRemoteEmbedder } from "./remote-embedder.ts";

const interactive = { priority: "interactive" } as const;
const bulk = { priority: "bulk" } as const;

/** A text's vector is its length and its first letter, before it is scaled. */
const vectorOf = (text: string): number[] => [text.length, text.charCodeAt(0)];

type Step = ProviderFailure | "ok" | { readonly used: number } | { readonly answer: ProviderAnswer };

/** A provider that answers after `ms`, and does with each request what comes next in `steps`. */
function setUp(
  options: Partial<PartialRemoteSpec> & {
    steps?: Step[];
    ms?: number;
    maxQueueTokens?: number;
    random?: number;
  } = {},
) {
  const { steps = [], ms = 10, maxQueueTokens = 1e6, random = 1, ...rest } = options;
  const clock = new FakeClock();
  const asked: { texts: readonly string[]; at: number }[] = [];
  const provider: EmbeddingProvider = {
    embed: async (texts, { signal }) => {
      asked.push({ texts, at: clock.now() });
      const step = steps.shift() ?? "ok";
      await new Promise<void>((resolve, reject) => {
        clock.after(ms, resolve);
        signal.addEventListener("abort", () => reject(signal.reason as Error));
      });
      if (step instanceof ProviderFailure) throw step;
      if (typeof step === "object" && "answer" in step) return step.answer;
      const totalTokens = step === "ok" ? texts.join("").length : step.used;
      return { vectors: texts.map((text, index) => ({ index, read: () => vectorOf(text) })), totalTokens };
    },
  };
  const spec = completeRemoteSpec({
    name: "p/m",
    provider: "p",
    baseUrl: "http://p/v1",
    model: "m",
    dimensions: 2,
    normalize: false,
    ...rest,
  });
  const account = createProviderAccount(spec, clock);
  const events: string[] = [];
  const open = () =>
    createRemoteEmbedder({
      spec,
      provider,
      account,
      maxQueueTokens,
      clock,
      random: () => random,
      observer: {
        requestFinished: ({ outcome, status, ms: took, texts, tokens }) =>
          void events.push(`${outcome} ${status ?? "-"} ${took} ms, ${texts} texts, ${tokens} tokens`),
        retried: ({ reason, delayMs }) => void events.push(`retried after ${reason}, in ${delayMs} ms`),
        rateLimitWait: ({ priority, ms: waited }) => void events.push(`${priority} waited ${waited} ms`),
      },
    });
  return { clock, asked, events, account, embedder: open(), open };
}

const failing = (kind: ProviderFailure["kind"], retryAfterMs?: number, status?: number): ProviderFailure =>
  new ProviderFailure(kind, `it is ${kind}`, { retryAfterMs, status });

async function rejection(work: Promise<unknown>): Promise<KindredError> {
  const outcome = await work.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  expect(outcome).toBeDefined();
  return outcome?.error as KindredError;
}

describe("a call", () => {
  test("gives every text its vector, whatever is split, repeated or fails in between", async () => {
    const step = fc.constantFrom<Step>(
      "ok",
      "ok",
      "ok",
      failing("server"),
      failing("rate-limited", 40),
      failing("timeout"),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ minLength: 1, maxLength: 4 }), { maxLength: 40 }),
        fc.array(step, { maxLength: 6 }),
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom<Priority>("interactive", "bulk"),
        async (texts, steps, maxTexts, priority) => {
          const ok = steps.filter((one) => one === "ok").length;
          const { embedder, clock, asked } = setUp({ steps, maxTexts, maxConcurrency: 3, random: 0.5 });
          const outcome = await clock.advanceUntil(
            embedder.embed(texts, { priority }).catch((error: unknown) => error as KindredError),
          );
          if (outcome instanceof Error) {
            // Five in a row for the same texts.
            expect(ok).toBeLessThan(3);
            return;
          }
          expect([...outcome.vectors]).toEqual(texts.flatMap(vectorOf));
          const distinct = new Set(texts);
          expect(outcome.totalTokens).toBe([...distinct].join("").length);
          expect(new Set(asked.flatMap((request) => request.texts))).toEqual(distinct);
          expect(asked.every((request) => request.texts.length <= maxTexts)).toBe(true);
          expect(clock.pending).toBe(0);
        },
      ),
      { numRuns: 100 },
    );
  });

  test("of no texts asks nobody", async () => {
    const { embedder, asked } = setUp();
    const reply = await embedder.embed([], interactive);
    expect(reply.vectors).toHaveLength(0);
    expect(asked).toHaveLength(0);
  });

  test("counts the wait until its first request, and the time that answers took", async () => {
    const { embedder, clock, account, events } = setUp({ maxTexts: 1, maxConcurrency: 1, ms: 30 });
    account.limiter.pause(200);
    const reply = await clock.advanceUntil(embedder.embed(["a", "bb"], interactive));
    expect(reply).toMatchObject({ queueMs: 200, inferenceMs: 60, tokenizeMs: 0, cachedTexts: 0 });
    expect(events).toEqual([
      "interactive waited 200 ms",
      "ok 200 30 ms, 1 texts, 1 tokens",
      "interactive waited 230 ms",
      "ok 200 30 ms, 1 texts, 2 tokens",
    ]);
  });

  test("cuts requests to half of what the limiter holds, in tokens", async () => {
    // 1,000 at once; texts of 98 bytes are taken for 100 tokens.
    const { embedder, clock, asked } = setUp({ tokensPerMinute: 10_000 });
    const texts = Array.from({ length: 12 }, (_, i) => String.fromCharCode(97 + i).repeat(98));
    await clock.advanceUntil(embedder.embed(texts, interactive));
    expect(asked.map((request) => request.texts.length)).toEqual([5, 5, 2]);
  });

  test("learns from what is charged", async () => {
    const { embedder, clock, account } = setUp({ steps: Array.from({ length: 60 }, () => ({ used: 10 })) });
    for (let i = 0; i < 60; i++) await clock.advanceUntil(embedder.embed(["x".repeat(98)], interactive));
    account.limiter.pause(1000);
    void embedder.embed(["x".repeat(98)], interactive);
    expect(account.limiter.queuedTokens("interactive")).toBeLessThan(15);
    await clock.advance(2000);
  });
});

describe("failures", () => {
  test("are tried again, and told", async () => {
    const { embedder, clock, events, asked } = setUp({
      steps: [failing("server", undefined, 503), failing("timeout")],
    });
    await clock.advanceUntil(embedder.embed(["a"], interactive));
    expect(events.filter((event) => !event.includes("waited"))).toEqual([
      "server 503 10 ms, 1 texts, 0 tokens",
      "retried after server, in 500 ms",
      "timeout - 10 ms, 1 texts, 0 tokens",
      "retried after timeout, in 1000 ms",
      "ok 200 10 ms, 1 texts, 1 tokens",
    ]);
    expect(asked.map(({ at }) => at)).toEqual([0, 510, 1520]);
  });

  test("a rate limit holds back everybody", async () => {
    const { embedder, open, clock, asked } = setUp({ steps: [failing("rate-limited", 5000)] });
    const first = embedder.embed(["a"], interactive);
    await clock.advance(10);
    const second = open().embed(["b"], interactive);
    await clock.advanceUntil(Promise.all([first, second]));
    expect(asked.map(({ at }) => at)).toEqual([0, 5510, 5510]);
    expect(asked.map(({ texts }) => texts[0])).toEqual(["a", "a", "b"]);
  });

  test("cost nobody the place in the line", async () => {
    const { embedder, clock, asked } = setUp({ steps: [failing("rate-limited", 100)], maxConcurrency: 1 });
    const calls = ["a", "b", "c"].map((text) => embedder.embed([text], interactive));
    await clock.advanceUntil(Promise.all(calls));
    expect(asked.map(({ texts }) => texts[0])).toEqual(["a", "a", "b", "c"]);
  });

  test("and answers tell what is left, and that is kept to", async () => {
    // 10 requests at once, and then one in 606 ms.
    const limits = { remainingRequests: 0 };
    const answer = { vectors: [{ index: 0, read: () => [1, 0] }], totalTokens: 1, limits };
    for (const step of [{ answer }, new ProviderFailure("timeout", "late", { limits })]) {
      const { embedder, clock, asked } = setUp({ steps: [step], requestsPerMinute: 108, ms: 0, random: 0 });
      const first = embedder.embed(["a"], interactive);
      await clock.advance(0);
      await clock.advanceUntil(Promise.all([first, embedder.embed(["b"], interactive)]));
      expect(asked[1]?.at).toBe(607);
    }
  });

  test("of a provider that is down cost a fifth more requests and no more", async () => {
    const { embedder, clock, asked } = setUp({
      steps: Array.from({ length: 500 }, () => failing("server")),
      ms: 0,
    });
    const calls = Array.from({ length: 100 }, (_, i) =>
      rejection(embedder.embed([`text ${i}`], interactive)),
    );
    const errors = await clock.advanceUntil(Promise.all(calls));
    expect(new Set(errors.map(({ kind }) => kind))).toEqual(new Set(["unavailable"]));
    expect(asked.length).toBeGreaterThan(100);
    expect(asked.length).toBeLessThanOrEqual(100 + 20 + 10 + 10);
  });

  test("that are final let what is in flight finish, start nothing more, and lose nothing", async () => {
    const steps: Step[] = ["ok", failing("refused", undefined, 400), "ok"];
    const { embedder, clock, asked } = setUp({ steps, maxTexts: 1, maxConcurrency: 3 });
    const texts = ["a", "b", "c", "d", "e", "a"];
    const error = await clock.advanceUntil(rejection(embedder.embed(texts, interactive)));
    expect(error.kind).toBe("invalid-argument");
    expect(error.violations[0]?.field).toBe("texts[1]");
    // "d" took the place of "a" before "b" failed; "e" was not started any more.
    expect(error.metadata).toMatchObject({ texts_embedded: "4", texts_total: "6", provider: "p" });
    expect(asked.flatMap((request) => request.texts)).toEqual(["a", "b", "c", "d"]);

    const reply = await clock.advanceUntil(embedder.embed(texts, interactive));
    expect([...reply.vectors]).toEqual(texts.flatMap(vectorOf));
    expect(reply.cachedTexts).toBe(4);
    expect(reply.totalTokens).toBe(2);
    expect(asked.flatMap((request) => request.texts)).toEqual(["a", "b", "c", "d", "b", "e"]);

    // Once the call has its answer, nothing is kept.
    await clock.advanceUntil(embedder.embed(["a"], interactive));
    expect(asked.at(-1)?.texts).toEqual(["a"]);
  });

  test("of no provider's making are passed on as they are", async () => {
    const { clock, account } = setUp();
    const spec = completeRemoteSpec({
      name: "p/m",
      provider: "p",
      baseUrl: "http://p",
      model: "m",
      dimensions: 2,
    });
    const bug = new TypeError("a bug");
    const broken = createRemoteEmbedder({
      spec,
      provider: { embed: () => Promise.reject(bug) },
      account,
      maxQueueTokens: 1e6,
      clock,
    });
    expect(await rejection(broken.embed(["a"], interactive))).toBe(bug);
  });

  test("with a wait that is too long tell it, also to those who waited", async () => {
    const { embedder, clock, asked } = setUp({
      steps: [failing("rate-limited", 600_000)],
      maxConcurrency: 1,
    });
    const [first, second] = [embedder.embed(["a"], interactive), embedder.embed(["b"], interactive)].map(
      rejection,
    );
    const errors = await clock.advanceUntil(Promise.all([first, second]));
    for (const error of errors) {
      expect(error).toMatchObject({ kind: "resource-exhausted", retryAfterMs: 600_000 });
      expect(error?.metadata).toMatchObject({ texts_embedded: "0", texts_total: "1" });
    }
    expect(asked).toHaveLength(1);
  });

  test("a refused request gives its tokens back", async () => {
    const { embedder, clock, asked } = setUp({
      steps: [failing("refused", undefined, 400)],
      tokensPerMinute: 1000,
    });
    await clock.advanceUntil(rejection(embedder.embed(["x".repeat(98)], interactive)));
    await clock.advanceUntil(embedder.embed(["y".repeat(98)], interactive));
    expect(asked.map(({ at }) => at)).toEqual([0, 10]);
  });
});

describe("a full queue", () => {
  test("refuses at once, each priority for itself, and says when to come back", async () => {
    // 1,000 tokens at once, 9,000 a minute.
    const { embedder, clock, account } = setUp({ tokensPerMinute: 10_000, maxQueueTokens: 3000 });
    const text = (letter: string): string => letter.repeat(498);
    // An empty queue takes work of any size.
    const first = embedder.embed(["a", "b", "c", "d", "e", "f", "g", "h", "i"].map(text), bulk);
    expect(account.limiter.queuedTokens("bulk")).toBe(4000);
    const error = await rejection(embedder.embed([text("j")], bulk));
    expect(error.kind).toBe("resource-exhausted");
    expect(error.retryAfterMs).toBe(6667);
    const second = embedder.embed([text("k")], interactive);
    await clock.advanceUntil(Promise.all([first, second]));
    await clock.advanceUntil(embedder.embed([text("j")], bulk));
  });
});

describe("a caller that gives up", () => {
  test("leaves the line and ends what is in flight; what was finished is kept", async () => {
    const { embedder, clock, asked, account } = setUp({ maxTexts: 1, maxConcurrency: 1 });
    const controller = new AbortController();
    const outcome = rejection(embedder.embed(["a", "b", "c"], { ...bulk, signal: controller.signal }));
    await clock.advance(15);
    expect(account.limiter.queuedTokens("bulk")).toBeGreaterThan(0);
    const reason = new Error("enough");
    controller.abort(reason);
    expect(await outcome).toBe(reason);
    expect(account.limiter.queuedTokens("bulk")).toBe(0);
    const reply = await clock.advanceUntil(embedder.embed(["a", "b", "c"], bulk));
    expect(reply.cachedTexts).toBe(1);
    expect(asked.map(({ texts }) => texts[0])).toEqual(["a", "b", "b", "c"]);
  });

  test("is heard while a retry waits, and before anything began", async () => {
    const { embedder, clock, asked } = setUp({ steps: [failing("server")] });
    const controller = new AbortController();
    const outcome = rejection(embedder.embed(["a"], { ...bulk, signal: controller.signal }));
    await clock.advance(100);
    const reason = new Error("enough");
    controller.abort(reason);
    expect(await outcome).toBe(reason);
    expect(await rejection(embedder.embed(["a"], { ...bulk, signal: controller.signal }))).toBe(reason);
    await settleWork();
    expect(asked).toHaveLength(1);
  });
});
