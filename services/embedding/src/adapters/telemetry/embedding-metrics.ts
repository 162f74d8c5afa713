import { inSpan, recordSpan, type Metrics } from "@kindred/telemetry";
import { isKindredError } from "@kindred/errors";
import type { Embedder, Priority } from "../../domain/embedder.ts";
import type { FinishedBatch } from "../../domain/scheduler.ts";

const BATCH_TEXTS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
const BATCH_TOKENS = [8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 65_536];
const PRIORITIES: readonly Priority[] = ["interactive", "bulk"];

/** Tokens that wait for a model, by priority. */
export interface Queue {
  queuedTokens(priority: Priority): number;
}

/** What the service tells Prometheus and the tracer about its own work. */
export interface EmbeddingMetrics {
  /** The same embedder, counted, timed and traced. */
  observed(embedder: Embedder, model: string): Embedder;
  /** Hears of the batches of a model. */
  onBatch(model: string): (batch: FinishedBatch) => void;
  /** Shows a model's queue for as long as it is loaded. */
  showQueue(model: string, queue: Queue): Disposable;
  /** Shows on what a model runs, while it is loaded: "cpu", "cuda" or "remote". */
  showProvider(model: string, facts: { provider: string; precision: string }): Disposable;
  /** Hears of every request to a remote provider: its outcome is an HTTP status, or the kind of failure. */
  onRemoteRequest(model: string): (request: { outcome: string; ms: number }) => void;
  onRemoteRetry(model: string): (reason: string) => void;
  onRateLimitWait(model: string): (ms: number) => void;
}

/** @param size entries and bytes of the cache of vectors, and calls in progress. */
export function embeddingMetrics(
  metrics: Metrics,
  read: { cache: () => { entries: number; bytes: number }; inProgress: () => number },
): EmbeddingMetrics {
  const queues = new Map<string, Queue>();
  const providers = new Map<string, { provider: string; precision: string }>();
  const texts = metrics.counter({
    name: "kindred_embedding_texts_total",
    help: "Texts embedded, by where the vector came from: the model or the cache of recent vectors.",
    labels: ["model", "priority", "from"],
  });
  const tokens = metrics.counter({
    name: "kindred_embedding_tokens_total",
    help: "Tokens of the texts embedded, special tokens included.",
    labels: ["model", "priority"],
  });
  const refused = metrics.counter({
    name: "kindred_embedding_refused_total",
    help: "Requests that failed, by the kind of the error; resource-exhausted are those beyond a limit.",
    labels: ["model", "kind"],
  });
  const duration = (name: `kindred_${string}_seconds`, help: string) =>
    metrics.histogram({ name, help, labels: ["model", "priority"] });
  const queueTime = duration(
    "kindred_embedding_queue_duration_seconds",
    "Time from a request's tokens being ready until its first batch started.",
  );
  const tokenizeTime = duration("kindred_embedding_tokenize_duration_seconds", "Time to tokenise a request.");
  const requestTime = duration(
    "kindred_embedding_request_duration_seconds",
    "Time to embed a request, all in all.",
  );
  const inferenceTime = metrics.histogram({
    name: "kindred_embedding_inference_duration_seconds",
    help: "Time of one batch inside of the model.",
    labels: ["model"],
  });
  const batchTexts = metrics.histogram({
    name: "kindred_embedding_batch_texts",
    help: "Texts of one batch.",
    labels: ["model"],
    buckets: BATCH_TEXTS,
  });
  const batchTokens = metrics.histogram({
    name: "kindred_embedding_batch_tokens",
    help: "Tokens of one batch, padding included.",
    labels: ["model"],
    buckets: BATCH_TOKENS,
  });
  const padding = metrics.counter({
    name: "kindred_embedding_padding_tokens_total",
    help: "Tokens that were only padding.",
    labels: ["model"],
  });
  metrics.gauge({
    name: "kindred_embedding_queue_tokens",
    help: "Tokens that wait.",
    labels: ["model", "priority"],
    collect: () =>
      [...queues].flatMap(([model, queue]) =>
        PRIORITIES.map((priority) => ({
          labels: { model, priority },
          value: queue.queuedTokens(priority),
        })),
      ),
  });
  metrics.gauge({
    name: "kindred_embedding_model_info",
    help: "1 for each loaded model, with the execution provider and the precision that it runs in.",
    labels: ["model", "provider", "precision"],
    collect: () => [...providers].map(([model, facts]) => ({ labels: { model, ...facts }, value: 1 })),
  });
  metrics.gauge({
    name: "kindred_embedding_calls_in_progress",
    help: "Calls that hold a place of EMBEDDING_MAX_CONCURRENT_REQUESTS.",
    collect: read.inProgress,
  });
  metrics.gauge({
    name: "kindred_embedding_cache_entries",
    help: "Vectors in the cache of recent ones.",
    collect: () => read.cache().entries,
  });
  metrics.gauge({
    name: "kindred_embedding_cache_bytes",
    help: "Memory of the cache of recent vectors, estimated.",
    collect: () => read.cache().bytes,
  });
  const remoteTime = metrics.histogram({
    name: "kindred_embedding_remote_request_duration_seconds",
    help: "Time of one request to a remote provider, by HTTP status or kind of failure.",
    labels: ["model", "outcome"],
  });
  const remoteRetries = metrics.counter({
    name: "kindred_embedding_remote_retries_total",
    help: "Requests to a remote provider that were sent again, by the reason.",
    labels: ["model", "reason"],
  });
  const rateLimitWait = metrics.histogram({
    name: "kindred_embedding_rate_limit_wait_seconds",
    help: "Time that a request to a remote provider waited for its turn under the rate limits.",
    labels: ["model"],
  });

  const shown = <T>(map: Map<string, T>, model: string, value: T): Disposable => {
    map.set(model, value);
    return { [Symbol.dispose]: () => void map.delete(model) };
  };

  return {
    observed: (embedder, model) => ({
      space: embedder.space,
      embed: (request, options) => {
        const { priority } = options;
        const labels = { model, priority };
        return inSpan(
          "embed",
          { "kindred.model": model, "kindred.texts": request.length, "kindred.priority": priority },
          async (span) => {
            const startedAt = performance.now();
            try {
              const result = await embedder.embed(request, options);
              const endedAt = performance.now();
              const { cachedTexts, queueMs, tokenizeMs, totalTokens } = result;
              texts.inc({ ...labels, from: "cache" }, cachedTexts);
              texts.inc({ ...labels, from: "model" }, request.length - cachedTexts);
              tokens.inc(labels, totalTokens);
              requestTime.observe(labels, (endedAt - startedAt) / 1000);
              span.set({ "kindred.tokens": totalTokens, "kindred.cached_texts": cachedTexts });
              if (cachedTexts < request.length) {
                tokenizeTime.observe(labels, tokenizeMs / 1000);
                queueTime.observe(labels, queueMs / 1000);
                const tokenized = startedAt + tokenizeMs;
                recordSpan("tokenize", { start: startedAt, end: tokenized });
                recordSpan("queue", { start: tokenized, end: tokenized + queueMs });
                recordSpan("inference", { start: tokenized + queueMs, end: endedAt });
              }
              return result;
            } catch (error) {
              refused.inc({ model, kind: isKindredError(error) ? error.kind : "other" });
              throw error;
            }
          },
        );
      },
    }),
    onBatch: (model) => (batch) => {
      inferenceTime.observe({ model }, batch.inferenceMs / 1000);
      batchTexts.observe({ model }, batch.texts);
      batchTokens.observe({ model }, batch.paddedTokens);
      padding.inc({ model }, batch.paddedTokens - batch.tokens);
    },
    showQueue: (model, queue) => shown(queues, model, queue),
    showProvider: (model, facts) => shown(providers, model, facts),
    onRemoteRequest:
      (model) =>
      ({ outcome, ms }) =>
        remoteTime.observe({ model, outcome }, ms / 1000),
    onRemoteRetry: (model) => (reason) => remoteRetries.inc({ model, reason }),
    onRateLimitWait: (model) => (ms) => rateLimitWait.observe({ model }, ms / 1000),
  };
}
