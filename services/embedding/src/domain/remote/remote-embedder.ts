import { invalidFields, KindredError } from "@kindred/errors";
import type { Embedder, Embeddings, EmbedOptions, Priority } from "../embedder.ts";
import { checkAnswer } from "./check-answer.ts";
import { sleep, systemClock, type Clock } from "./clock.ts";
import { explainFailure } from "./explain-failure.ts";
import { FinishedVectors } from "./finished-vectors.ts";
import { remoteSpace, type RemoteModelSpec } from "./presets.ts";
import {
  ProviderFailure,
  type EmbeddingProvider,
  type ProviderAnswer,
  type ProviderFailureKind,
} from "./provider.ts";
import type { ProviderAccount } from "./provider-account.ts";
import { decideRetry, RETRY_POLICY, type RetryDecision, type RetryPolicy } from "./retry-policy.ts";
import { splitTexts, type TextPart } from "./split-texts.ts";
import { TokenEstimate } from "./token-estimate.ts";

/** Hears of what goes on, for metrics. Must not throw. */
export interface RemoteObserver {
  /** `tokens`: what was charged, or estimated where the provider does not say; 0 for a failure. `ms`: until the answer was there. */
  requestFinished?(request: {
    readonly outcome: RequestOutcome;
    readonly status: number | undefined;
    readonly ms: number;
    readonly texts: number;
    readonly tokens: number;
  }): void;
  retried?(retry: { readonly reason: ProviderFailureKind; readonly delayMs: number }): void;
  /** Once for each request that started. */
  rateLimitWait?(wait: { readonly priority: Priority; readonly ms: number }): void;
}

export interface RemoteEmbedderDeps {
  readonly spec: RemoteModelSpec;
  readonly provider: EmbeddingProvider;
  /** Shared by all embedders that use the same key. */
  readonly account: ProviderAccount;
  /** Most tokens that wait in each priority, estimated; work that comes to a fuller queue is refused. */
  readonly maxQueueTokens: number;
  readonly observer?: RemoteObserver | undefined;
  readonly policy?: RetryPolicy | undefined;
  readonly clock?: Clock | undefined;
  /** 0 to 1, for jitter. */
  readonly random?: (() => number) | undefined;
  readonly finished?: FinishedVectors | undefined;
}

/** A part on its way to its vectors. */
interface PartRun {
  readonly part: TextPart;
  vectors: Float32Array<ArrayBuffer> | undefined;
  tokens: number;
  inferenceMs: number;
}

interface FailedRun {
  readonly error: unknown;
  readonly part: TextPart;
}

/** What the parts of a call have in common. */
interface Call {
  readonly priority: Priority;
  /** The caller gave up. */
  readonly signal: AbortSignal;
  /** The caller gave up, or a part failed for good: what has not started need not. */
  readonly waiting: AbortSignal;
  /** A part failed for good; the first to do so is what the caller hears of. */
  readonly giveUp: (error: unknown, part: TextPart) => void;
  startedAt: number | undefined;
}

type RequestOutcome = "ok" | "aborted" | ProviderFailureKind;

/**
 * Embeds through a provider. A call is split into requests; those that fail are tried again alone. When one fails for good the
 * call does: what waits is given up, what is in flight is waited for, and the vectors that came are kept for a while, so that
 * a repeated call pays for the missing ones only.
 *
 * `embed` rejects with the signal's reason when that is aborted, and otherwise with a KindredError: invalid-argument naming texts,
 * failed-precondition (key, model, address), resource-exhausted, unavailable, data-loss (answers that cannot be right). Its metadata
 * `texts_embedded` and `texts_total` say how far the call came.
 */
export function createRemoteEmbedder(deps: RemoteEmbedderDeps): Embedder {
  const { spec, provider, account, observer, maxQueueTokens } = deps;
  const { limiter, budget } = account;
  const clock = deps.clock ?? systemClock;
  const policy = deps.policy ?? RETRY_POLICY;
  const random = deps.random ?? Math.random;
  const finished = deps.finished ?? new FinishedVectors({ clock });
  const estimate = new TokenEstimate();
  const space = remoteSpace(spec);
  const width = spec.dimensions;

  /** @throws KindredError resource-exhausted when it does not fit the queue. An empty queue takes work of any size. */
  const admit = (parts: readonly TextPart[], priority: Priority): void => {
    const queued = limiter.queuedTokens(priority);
    const tokens = parts.reduce((sum, part) => sum + estimate.expected(part.mostTokens), 0);
    if (queued === 0 || queued + tokens <= maxQueueTokens) return;
    const excess = Math.min(queued, queued + tokens - maxQueueTokens);
    throw new KindredError(
      "resource-exhausted",
      `the queue for ${priority} work at ${spec.provider} is full: about ${queued} of ${maxQueueTokens} tokens wait, and this request has about ${tokens}`,
      { retryAfterMs: limiter.msToStart(excess, priority) },
    );
  };

  /** One request, for which there is leave. Fills in the run. */
  const request = async (run: PartRun, call: Call, expected: number): Promise<ProviderAnswer> => {
    const { texts } = run.part;
    const startedAt = clock.now();
    call.startedAt ??= startedAt;
    const report = (outcome: RequestOutcome, status?: number, tokens = 0): void => {
      const ms = clock.now() - startedAt;
      run.inferenceMs += ms;
      observer?.requestFinished?.({ outcome, status, ms, texts: texts.length, tokens });
    };
    try {
      const answer = await provider.embed(texts, { signal: call.signal });
      run.vectors = await checkAnswer(answer, {
        texts: texts.length,
        dimensions: width,
        normalize: spec.normalize,
      });
      run.tokens = answer.totalTokens ?? expected;
      report("ok", 200, run.tokens);
      return answer;
    } catch (error) {
      if (error instanceof ProviderFailure) report(error.kind, error.status);
      else report("aborted");
      throw error;
    }
  };

  /** Requests until there is an answer, or no hope. @throws why there is none. */
  const runPart = async (run: PartRun, call: Call): Promise<void> => {
    const { priority, waiting } = call;
    const { mostTokens } = run.part;
    const ticket = limiter.ticket();
    budget.earn();
    let badAnswers = 0;
    for (let failures = 1; ; failures++) {
      const expected = estimate.expected(mostTokens);
      const grant = await limiter.acquire(expected, { priority, signal: waiting, ticket });
      observer?.rateLimitWait?.({ priority, ms: grant.waitedMs });
      let decision: RetryDecision = { kind: "fail" };
      /** Undefined while nobody knows. */
      let charged: number | undefined;
      try {
        const answer = await request(run, call, expected);
        charged = answer.totalTokens;
        if (charged !== undefined) estimate.learn(mostTokens, charged);
        if (answer.limits !== undefined) limiter.observe(answer.limits);
        return;
      } catch (error) {
        if (!(error instanceof ProviderFailure)) throw error;
        const { kind, retryAfterMs, limits } = error;
        // What is refused has cost nothing.
        charged = kind === "refused" ? 0 : error.totalTokens;
        if (limits !== undefined) limiter.observe(limits);
        if (kind === "bad-answer") badAnswers++;
        if (!waiting.aborted) decision = decideRetry(error, failures, badAnswers, { policy, budget, random });
        // Others need not find out for themselves, even when this part is given up.
        if (kind === "rate-limited" && retryAfterMs !== undefined) limiter.pause(retryAfterMs);
        if (decision.kind === "pause") limiter.pause(decision.delayMs);
        if (decision.kind === "fail") {
          call.giveUp(error, run.part);
          throw error;
        }
        observer?.retried?.({ reason: kind, delayMs: decision.delayMs });
      } finally {
        // Last of all: whoever gets the place must find the pause, and must not belong to a call that was given up.
        grant.settle(charged);
      }
      if (decision.kind === "retry") await sleep(clock, decision.delayMs, waiting);
    }
  };

  return {
    space,

    embed: async (texts, { priority, signal = new AbortController().signal }: EmbedOptions) => {
      signal.throwIfAborted();
      refuseEmpty(texts);
      const positions = firstPositions(texts);
      const vectors = new Map<string, Float32Array>();
      const missing: string[] = [];
      for (const text of positions.keys()) {
        const known = finished.get(text);
        if (known === undefined) missing.push(text);
        else vectors.set(text, known);
      }
      const parts = splitTexts(missing, {
        maxTexts: spec.maxTexts,
        maxTokens: spec.maxTokens,
        // A request that takes half of what the limiter holds can start soon, and leaves no debt.
        maxTokensPerRequest: Math.min(spec.maxTokensPerRequest, estimate.mostFor(limiter.tokenCapacity / 2)),
      });
      admit(parts, priority);

      const submittedAt = clock.now();
      const stop = new AbortController();
      const waiting = AbortSignal.any([signal, stop.signal]);
      let failed: FailedRun | undefined;
      const giveUp = (error: unknown, part: TextPart): void => {
        failed ??= { error, part };
        stop.abort(new Error("another part of the call failed"));
      };
      const call: Call = { priority, signal, waiting, giveUp, startedAt: undefined };
      const runs = parts.map((part): PartRun => ({ part, vectors: undefined, tokens: 0, inferenceMs: 0 }));
      const cachedTexts = texts.filter((text) => vectors.has(text)).length;
      // Until none is in flight any more.
      await Promise.all(
        runs.map((run) => runPart(run, call).catch((error: unknown) => giveUp(error, run.part))),
      );
      if (failed !== undefined) {
        for (const [text, vector] of vectorsOf(runs, width)) {
          finished.keep(text, vector);
          vectors.set(text, vector);
        }
        signal.throwIfAborted();
        const progress = { embedded: texts.filter((text) => vectors.has(text)).length, total: texts.length };
        const part = {
          texts: failed.part.texts,
          positions: failed.part.texts.map((text) => positions.get(text) as number),
        };
        throw explainFailure(failed.error, part, progress, spec);
      }

      for (const [text, vector] of vectorsOf(runs, width)) vectors.set(text, vector);
      const result = assemble(texts, vectors, width);
      if (cachedTexts > 0) for (const text of positions.keys()) finished.forget(text);
      return {
        vectors: result,
        tokenCounts: undefined,
        truncated: undefined,
        totalTokens: runs.reduce((sum, run) => sum + run.tokens, 0),
        cachedTexts,
        queueMs: (call.startedAt ?? submittedAt) - submittedAt,
        tokenizeMs: 0,
        inferenceMs: runs.reduce((sum, run) => sum + run.inferenceMs, 0),
      } satisfies Embeddings;
    },
  };
}

/** More empty texts than this are not worth naming one by one. */
const MAX_VIOLATIONS = 10;

/** OpenAI's protocol allows no empty text, and providers refuse the whole request without naming it. */
function refuseEmpty(texts: readonly string[]): void {
  const empty = [...texts.keys()].filter((i) => texts[i] === "").slice(0, MAX_VIOLATIONS);
  if (empty.length === 0) return;
  throw invalidFields(
    empty.map((i) => ({
      field: `texts[${i}]`,
      description: "must not be empty: this model's provider takes no empty text",
    })),
  );
}

/** Each distinct text, in order, and where it stands first. Equal texts have equal vectors: each is sent once. */
function firstPositions(texts: readonly string[]): Map<string, number> {
  const positions = new Map<string, number>();
  for (const [i, text] of texts.entries()) if (!positions.has(text)) positions.set(text, i);
  return positions;
}

/** Each text of the parts that are finished, and its vector. */
function vectorsOf(runs: readonly PartRun[], width: number): [text: string, vector: Float32Array][] {
  return runs.flatMap(({ part, vectors }) =>
    vectors === undefined
      ? []
      : part.texts.map((text, i): [string, Float32Array] => [
          text,
          vectors.subarray(i * width, (i + 1) * width),
        ]),
  );
}

function assemble(
  texts: readonly string[],
  vectors: ReadonlyMap<string, Float32Array>,
  width: number,
): Float32Array<ArrayBuffer> {
  const result = new Float32Array(texts.length * width);
  for (const [i, text] of texts.entries()) result.set(vectors.get(text) as Float32Array, i * width);
  return result;
}
