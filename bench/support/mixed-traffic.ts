import { setTimeout as sleep } from "node:timers/promises";
import { Priority, type EmbedResponse } from "@kindred/contracts/embedding/v1";
import { isKindredError, messageOf } from "@kindred/errors";
import type { RunningEmbedding } from "./service.ts";
import { randomNumbers } from "./texts.ts";

/** What was asked and what came of it. */
export interface TrafficReport {
  calls: number;
  texts: number;
  tokens: number;
  cachedTexts: number;
  /** Calls that were given up by their client, and were still under way then. */
  cancelled: number;
  refused: number;
  /** Every other error, by what it said. */
  errors: Record<string, number>;
}

const LANES = 8;
const MAX_TEXTS = 64;
/** Special tokens stand around every text. */
const [MIN_TOKENS, MAX_TOKENS] = [2, 256];
/** Bounds what a call costs: many texts are shorter ones. */
const MAX_CALL_TOKENS = 4096;
const CANCELLED_SHARE = 0.1;
const CANCEL_WITHIN_MS = 150;
const BULK_SHARE = 0.4;
const STREAM_SHARE = 0.1;
const REPEATED_SHARE = 0.2;
/** Texts that come again and again, so that a cache has something to keep. */
const FAVOURITES = 500;

type Random = () => number;

/** Between the two, every order of magnitude as often as every other. */
function logUniform(random: Random, low: number, high: number): number {
  return Math.round(low * (high / low) ** random());
}

/** Words of one token each, as many as it takes. */
function textOf(random: Random, words: readonly string[], tokens: number): string {
  return Array.from(
    { length: tokens - MIN_TOKENS },
    () => words[Math.floor(random() * words.length)] as string,
  ).join(" ");
}

/**
 * Calls of all sizes until the time has come: texts of 2 to 256 tokens, short and long, 1 to 64 of them, interactive, in bulk and (where
 * the service has it) as a stream; a tenth of the calls is cancelled at some moment, a fifth of the texts has been sent before.
 * @param words of one token each
 */
export async function runTraffic(
  service: RunningEmbedding,
  options: { words: readonly string[]; seconds: number; stream: boolean; seed: number },
): Promise<TrafficReport> {
  const { words } = options;
  const report: TrafficReport = {
    calls: 0,
    texts: 0,
    tokens: 0,
    cachedTexts: 0,
    cancelled: 0,
    refused: 0,
    errors: {},
  };
  const until = performance.now() + options.seconds * 1000;
  const ofFavourites = randomNumbers(options.seed);
  const favourites = Array.from({ length: FAVOURITES }, () =>
    textOf(ofFavourites, words, logUniform(ofFavourites, MIN_TOKENS, 64)),
  );

  const makeTexts = (random: Random): string[] => {
    const longest = random() < 0.3 ? MAX_TOKENS : logUniform(random, MIN_TOKENS, MAX_TOKENS);
    const count = Math.min(logUniform(random, 1, MAX_TEXTS), Math.floor(MAX_CALL_TOKENS / longest));
    return Array.from({ length: count }, () => {
      if (random() < REPEATED_SHARE) return favourites[Math.floor(random() * FAVOURITES)] as string;
      return textOf(random, words, MIN_TOKENS + Math.floor(random() * (longest - MIN_TOKENS + 1)));
    });
  };

  const call = async (random: Random, signal: AbortSignal): Promise<void> => {
    const texts = makeTexts(random);
    const priority = random() < BULK_SHARE ? Priority.BULK : Priority.INTERACTIVE;
    if (options.stream && random() < STREAM_SHARE) {
      const messages = (async function* () {
        yield { texts, options: { priority } };
      })();
      for await (const piece of service.client.embedStream(messages, { signal })) {
        report.tokens += Number(piece.totalTokens);
      }
    } else {
      const reply = await service.client.embed({ texts, priority }, { signal });
      report.tokens += sumOfTokens(reply);
      report.cachedTexts += reply.cachedTexts;
    }
    report.calls++;
    report.texts += texts.length;
  };

  const lane = async (number: number): Promise<void> => {
    const random = randomNumbers(options.seed + 1 + number);
    while (performance.now() < until) {
      const cancelling = new AbortController();
      const timer =
        random() < CANCELLED_SHARE
          ? setTimeout(() => cancelling.abort(), random() * CANCEL_WITHIN_MS)
          : undefined;
      try {
        await call(random, cancelling.signal);
      } catch (error) {
        if (cancelling.signal.aborted) report.cancelled++;
        else if (isKindredError(error) && error.kind === "resource-exhausted") {
          report.refused++;
          await sleep(error.retryAfterMs ?? 100);
        } else report.errors[messageOf(error)] = (report.errors[messageOf(error)] ?? 0) + 1;
      } finally {
        clearTimeout(timer);
      }
    }
  };
  await Promise.all(Array.from({ length: LANES }, (_, i) => lane(i)));
  return report;
}

function sumOfTokens({ tokenCounts }: EmbedResponse): number {
  return tokenCounts.reduce((sum, count) => sum + count, 0);
}

/** Of the words of some texts, those that are one token each. */
export async function wordsOfOneToken(
  service: RunningEmbedding,
  texts: readonly string[],
): Promise<string[]> {
  const words = [...new Set(texts.flatMap((text) => text.toLowerCase().match(/[a-z]+/g) ?? []))];
  const { results } = await service.client.tokenize({ texts: words });
  return words.filter((_, i) => results[i]?.ids.length === MIN_TOKENS + 1);
}
