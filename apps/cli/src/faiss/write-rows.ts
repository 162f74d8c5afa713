import { setTimeout as sleep } from "node:timers/promises";
import { OnConflict } from "@kindred/contracts/vector-store/v1";
import { isKindredError, messageOf } from "@kindred/errors";
import type { FaissDataset } from "@kindred/faiss";
import { translated, type Clients } from "../clients.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { formatCount, formatMs, plural } from "../terminal/format.ts";
import type { Step, Steps } from "../terminal/steps.ts";
import { importItems, placeOf } from "../vectors/import-items.ts";
import { inRowBatches } from "../vectors/item-batches.ts";
import type { ProgressFile } from "./progress-file.ts";
import { rowsAfter, toImages, type MigratedRow } from "./rows.ts";

/** What was written. */
export interface Written {
  imagesAdded: number;
  imagesExisting: number;
  embeddingsAdded: number;
  embeddingsExisting: number;
  /** Vectors, from the first, that are stored or skipped. */
  vectors: number;
}

export interface WriteOptions {
  batchSize: number;
  spaceId: string;
  embeddingType: string;
  patience: number;
  signal: AbortSignal;
}

export interface WriteDeps {
  clients: Pick<Clients, "images">;
  steps: Steps;
  step: Step;
  /** undefined where none can be kept. */
  progress: ProgressFile | undefined;
}

/** Of one message, which may have 32 MiB. */
const MAX_BATCH_BYTES = 8 * 2 ** 20;
const BATCH_TIMEOUT_MS = 180_000;
/** How long the batch that is under way has after Ctrl+C. */
const GRACE_MS = 10_000;

/**
 * Writes the vectors behind the first `written.vectors`, in their order, a batch whole or not at all. What is stored already is not added
 * again. A service that is away is waited for.
 * @param written counts what is done, also when this throws
 * @throws what a call failed with, the signal's reason
 */
export async function writeRows(
  deps: WriteDeps,
  dataset: FaissDataset,
  written: Written,
  options: WriteOptions,
): Promise<void> {
  const { steps, step, progress } = deps;
  const { signal, patience } = options;
  const total = dataset.index.count;
  const from = written.vectors;
  const startedAt = performance.now();
  let keeps = progress !== undefined;
  await importItems<MigratedRow>(
    inRowBatches(rowsAfter(dataset, from, signal), { items: options.batchSize, bytes: MAX_BATCH_BYTES }),
    {
      send: async ({ items }, callSignal) => {
        const images = toImages(items, { ...options, dataset: dataset.name });
        const reply = await translated(() =>
          deps.clients.images.batchAddImages(one({ images, onConflict: OnConflict.SKIP }), {
            signal: callSignal,
            timeoutMs: BATCH_TIMEOUT_MS,
          }),
        ).catch((error: unknown) => {
          throw namingImages(
            error,
            images.map(({ image }) => image?.imagePath ?? ""),
          );
        });
        written.imagesAdded += Number(reply.imagesAdded);
        written.imagesExisting += Number(reply.imagesExisting);
        written.embeddingsAdded += Number(reply.embeddingsAdded);
        written.embeddingsExisting += Number(reply.embeddingsExisting);
        return { inserted: items.length, replaced: 0, skipped: 0, rejected: [] };
      },
      onStored: async ({ lines }) => {
        written.vectors = lines;
        if (keeps) keeps = await keep(progress as ProgressFile, lines, steps);
        const perMs = (lines - from) / Math.max(performance.now() - startedAt, 1);
        const left = lines < total ? `, ${formatMs((total - lines) / perMs)} left` : "";
        step.progress(
          "storing",
          lines,
          total,
          `${formatCount(lines)} of ${plural(total, "vector")}, ${formatCount(Math.round(1_000 * perMs))}/s${left}`,
        );
      },
      sleep: (ms, sleepSignal) => sleep(ms, undefined, { signal: sleepSignal }),
      now: () => performance.now(),
      onWaiting: (reason) => steps.note(`  waiting up to ${patience} s for the services: ${reason}`),
      onResumed: () => steps.note("  the service is back; going on"),
    },
    {
      refusesExisting: false,
      skipsBadRows: true,
      patienceMs: 1_000 * patience,
      signal,
      graceMs: GRACE_MS,
    },
  );
}

/** The service names images by their positions in the batch, which say nothing to anybody. */
function namingImages(error: unknown, paths: readonly string[]): unknown {
  if (!isKindredError(error) || error.kind !== "invalid-argument") return error;
  const refused = error.violations.flatMap(({ field, description }) => {
    const place = placeOf(field);
    return place ? [`${paths[place.position]}: ${place.field} ${description}`] : [];
  });
  if (refused.length === 0) return error;
  return new Failure(`The store refuses ${refused.join("; ")}.`, { exitCode: EXIT.data, cause: error });
}

async function keep(progress: ProgressFile, vectors: number, steps: Steps): Promise<boolean> {
  try {
    await progress.write(vectors);
    return true;
  } catch (error) {
    steps.note(
      `  ${progress.path} cannot be written (${messageOf(error)}): interrupted, this migration starts anew, which adds nothing twice`,
    );
    return false;
  }
}

/**
 * Where to go on: how far the migration before got, if what it wrote is still there.
 * @param probes paths of images among the first `vectors`
 */
export async function isStillThere(
  { images }: Pick<Clients, "images">,
  probes: readonly string[],
): Promise<boolean> {
  for (const path of probes) {
    try {
      await translated(() => images.getImage({ key: { case: "imagePath", value: path } }));
    } catch (error) {
      if (isKindredError(error) && error.kind === "not-found") return false;
      throw error;
    }
  }
  return true;
}

// oxlint-disable-next-line typescript/require-await -- a client stream is an async iterable
async function* one<T>(message: T): AsyncIterable<T> {
  yield message;
}
