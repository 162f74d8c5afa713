import { Priority } from "@kindred/contracts/embedding/v1";
import type { Clients } from "../clients.ts";
import { callEmbed } from "../embedding/embed-call.ts";
import { embedTexts } from "../embedding/embed-texts.ts";
import type { TextLine } from "../embedding/text-lines.ts";
import { benchTexts } from "./bench-texts.ts";

export interface BenchOptions {
  /** Name or alias; empty for the default one. */
  model: string;
  /** Most texts of the second part. */
  texts: number;
  /** Most time of each part; calls under way at its end are waited for. */
  seconds: number;
  signal: AbortSignal;
}

export interface Latencies {
  calls: number;
  /** In milliseconds. */
  p50: number;
  p90: number;
  p99: number;
}

export interface BenchResult {
  /** One text a call, one call after the other. */
  single: Latencies & { tokensPerText: number };
  bulk: {
    texts: number;
    seconds: number;
    textsPerSecond: number;
    tokensPerSecond: number;
    tokensPerText: number;
    /** Texts in one call. */
    batchSize: number;
    /** Calls at the same time. */
    inFlight: number;
  };
  /** Texts of both parts that a cache answered, and that say nothing about the model's speed. */
  cachedTexts: number;
}

/** Not counted: the first calls of a connection, and of a model that was idle. */
const WARM_UP_CALLS = 5;
/** More of them say no more about the 99th percentile. */
const MAX_SINGLE_CALLS = 2_000;
/** Enough under way to keep the service busy, and little to wait for when the time is over. */
const BATCH_SIZE = 64;
const IN_FLIGHT = 8;

/**
 * Measures a model through the service as it is: first how long one text takes, then how many texts a second. Texts are all different.
 * @param onProgress what it is at, and how far, from 0 to 1
 */
export async function benchModel(
  client: Pick<Clients["embedding"], "embed">,
  options: BenchOptions,
  onProgress: (what: string, share: number) => void,
): Promise<BenchResult> {
  const texts = benchTexts();
  const single = await measureSingle(client, options, texts, (share) =>
    onProgress("one text at a time", share),
  );
  const bulk = await measureBulk(client, options, texts, (share) => onProgress("many texts", share));
  return { single: single.latencies, bulk: bulk.throughput, cachedTexts: single.cached + bulk.cached };
}

type Texts = Iterator<string, never>;

async function measureSingle(
  client: Pick<Clients["embedding"], "embed">,
  { model, seconds, signal }: BenchOptions,
  texts: Texts,
  onProgress: (share: number) => void,
): Promise<{ latencies: BenchResult["single"]; cached: number }> {
  const call = async () => {
    const request = { texts: [texts.next().value], model, priority: Priority.INTERACTIVE };
    const startedAt = performance.now();
    const embedded = await callEmbed(client, request, { signal });
    return { ...embedded, ms: performance.now() - startedAt };
  };
  for (let i = 0; i < WARM_UP_CALLS; i++) await call();
  const times: number[] = [];
  let tokens = 0;
  let cached = 0;
  const endsAt = performance.now() + 1_000 * seconds;
  for (
    let now = performance.now();
    times.length === 0 || (now < endsAt && times.length < MAX_SINGLE_CALLS);
  ) {
    const { ms, totalTokens, cachedTexts } = await call();
    times.push(ms);
    tokens += totalTokens;
    cached += cachedTexts;
    now = performance.now();
    onProgress(Math.max(times.length / MAX_SINGLE_CALLS, 1 - (endsAt - now) / (1_000 * seconds)));
  }
  return { latencies: { ...percentiles(times), tokensPerText: tokens / times.length }, cached };
}

async function measureBulk(
  client: Pick<Clients["embedding"], "embed">,
  { model, texts: most, seconds, signal }: BenchOptions,
  texts: Texts,
  onProgress: (share: number) => void,
): Promise<{ throughput: BenchResult["bulk"]; cached: number }> {
  const startedAt = performance.now();
  const endsAt = startedAt + 1_000 * seconds;
  const inTime = () => performance.now() < endsAt;
  onProgress(0);
  const totals = await embedTexts(
    lines(texts, most, inTime),
    {
      client,
      // Waiting is part of what is measured.
      onWaiting: () => {},
      onResumed: () => {},
      onAnswer: async (_batch, _embedded, { texts: done }) => {
        onProgress(Math.max(done / most, (performance.now() - startedAt) / (1_000 * seconds)));
        return true;
      },
    },
    {
      model,
      priority: Priority.BULK,
      batchSize: BATCH_SIZE,
      inFlight: IN_FLIGHT,
      patienceMs: 1_000 * seconds,
    },
    signal,
  );
  const elapsed = (performance.now() - startedAt) / 1_000;
  return {
    throughput: {
      texts: totals.texts,
      seconds: elapsed,
      textsPerSecond: totals.texts / elapsed,
      tokensPerSecond: totals.tokens / elapsed,
      tokensPerText: totals.tokens / totals.texts,
      batchSize: BATCH_SIZE,
      inFlight: IN_FLIGHT,
    },
    cached: totals.cached,
  };
}

/** At least one; whole batches, so that the last one does not wait for company. */
// oxlint-disable-next-line typescript/require-await -- the same as lines of a file
async function* lines(texts: Texts, most: number, inTime: () => boolean): AsyncGenerator<TextLine> {
  let end = 0;
  for (let count = 0; count < most && (count % BATCH_SIZE !== 0 || count === 0 || inTime()); count++) {
    const text = texts.next().value;
    const bytes = Buffer.byteLength(text);
    end += bytes;
    yield { text, bytes, end };
  }
}

/** By nearest rank: the least time that so many per cent of the calls did not exceed. */
export function percentiles(times: readonly number[]): Latencies {
  const sorted = times.toSorted((a, b) => a - b);
  const rank = (percent: number) => sorted[Math.ceil((percent / 100) * sorted.length) - 1] as number;
  return { calls: times.length, p50: rank(50), p90: rank(90), p99: rank(99) };
}
