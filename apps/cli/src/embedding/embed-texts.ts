import { setTimeout as sleep } from "node:timers/promises";
import type { EmbeddingSpace } from "@kindred/contracts/common/v1";
import type { Priority } from "@kindred/contracts/embedding/v1";
import type { Clients } from "../clients.ts";
import type { PatienceDeps } from "../patience.ts";
import { callEmbed, type Embedded } from "./embed-call.ts";
import { embedInOrder } from "./embed-in-order.ts";
import { inTextBatches, type TextBatch } from "./text-batches.ts";
import type { TextLine } from "./text-lines.ts";

/** How many texts are sent, how. */
export interface BulkSettings {
  model: string;
  priority: Priority;
  /** Texts in one call. */
  batchSize: number;
  /** Calls under way at the same time. */
  inFlight: number;
  /** Gives up when nothing was embedded for so long. */
  patienceMs: number;
}

/** What was embedded so far. */
export interface BulkTotals {
  texts: number;
  tokens: number;
  /** Texts that were longer than the model reads; those of models that do not say are not counted. */
  truncated: number;
  cached: number;
  /** Of all the vectors; undefined before the first. */
  space: EmbeddingSpace | undefined;
}

/** Texts of one call, as long as they are short: what a model makes of them is small then, too. */
const MAX_BATCH_BYTES = 2 ** 20;
/** How long one call may take: it waits behind others in the embedding service's queue. */
const CALL_TIMEOUT_MS = 180_000;

/**
 * Embeds any number of texts with bounded memory: several calls under way, their answers given in order. (A bidirectional stream, which the
 * service has as well, does not exist over HTTP/1.1.)
 * @param onAnswer takes the vectors of a batch, and says whether to go on; the next one comes when it has.
 */
export async function embedTexts(
  lines: AsyncIterable<TextLine>,
  deps: Pick<PatienceDeps, "onWaiting" | "onResumed"> & {
    client: Pick<Clients["embedding"], "embed">;
    onAnswer: (batch: TextBatch, embedded: Embedded, totals: BulkTotals) => Promise<boolean>;
  },
  settings: BulkSettings,
  signal: AbortSignal,
): Promise<BulkTotals> {
  const { model, priority, batchSize, inFlight, patienceMs } = settings;
  const totals: BulkTotals = { texts: 0, tokens: 0, truncated: 0, cached: 0, space: undefined };
  const answers = embedInOrder(
    inTextBatches(lines, { texts: batchSize, bytes: MAX_BATCH_BYTES }),
    {
      embed: ({ texts }, spaceId, callSignal) =>
        callEmbed(
          deps.client,
          { texts, model, priority, spaceId },
          { signal: callSignal, timeoutMs: CALL_TIMEOUT_MS },
        ),
      sleep: (ms, sleepSignal) => sleep(ms, undefined, { signal: sleepSignal }),
      now: () => performance.now(),
      onWaiting: deps.onWaiting,
      onResumed: deps.onResumed,
    },
    { inFlight, patienceMs, signal },
  );
  for await (const { batch, embedded } of answers) {
    totals.texts += batch.texts.length;
    totals.tokens += embedded.totalTokens;
    totals.truncated += embedded.truncated.filter(Boolean).length;
    totals.cached += embedded.cachedTexts;
    totals.space = embedded.space;
    if (!(await deps.onAnswer(batch, embedded, totals))) break;
  }
  return totals;
}
