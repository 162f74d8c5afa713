import { openClients, type Clients } from "../clients.ts";
import type { Context } from "../context.ts";
import { interruption } from "../interruption.ts";
import { plural } from "../terminal/format.ts";
import { createSteps, silentSteps } from "../terminal/steps.ts";
import { inRowBatches } from "../vectors/item-batches.ts";
import { MAX_BATCH_BYTES } from "../vectors/run-import.ts";
import { GENERATION_COLUMNS, parseGenerationLine, readGenerationRow } from "./generation-record.ts";
import { imageFormat } from "./image-format.ts";
import { importFile, showReport, type FileReport, type ImportFileDeps } from "./import-file.ts";
import { eachRow, openRecordSource, type RecordFormat } from "./record-source.ts";
import type { GenerationRecord } from "./generation-record.ts";
import { generationSender } from "./send-generations.ts";
import { IMAGE_LIMITS, sendImages, type EmbeddingCounts } from "./send-images.ts";

export interface ImportRecordsOptions {
  badRows: "reject" | "skip";
  batchSize: number;
  patience: number;
}

export interface ImportImagesOptions extends ImportRecordsOptions {
  onConflict: "skip" | "error";
}

/** For programs. */
interface ImageReport extends FileReport {
  embeddings_added: number;
  embeddings_existing: number;
}

/** Adds the images of files to the catalogue, one file after the other. @throws Failure that says how far it got and how to go on. */
export async function importImages(
  context: Context,
  files: readonly string[],
  options: ImportImagesOptions,
): Promise<void> {
  const clients = openClients(context);
  await importFiles<ImageReport>(context, files, async (deps, file) => {
    const counts: EmbeddingCounts = { added: 0, existing: 0 };
    const skipsBadRows = options.badRows === "skip";
    const report = await importFile(deps, {
      file,
      identity: { collection: "images", collectionCreatedAt: "", space: "" },
      open: (start) =>
        openRecordSource(file, imageFormat, { start, stdin: process.stdin, signal: deps.signal }),
      batches: ({ rows }) => inRowBatches(rows, { items: options.batchSize, bytes: IMAGE_LIMITS.bytes }),
      send: (batch, signal) =>
        sendImages(clients, batch, { onConflict: options.onConflict, skipsBadRows, counts, signal }),
      refusesExisting: options.onConflict === "error",
      skipsBadRows,
      againWith: "--on-conflict skip",
      patienceSeconds: options.patience,
    });
    if (!context.json) showReport(context, report, [`${plural(counts.added, "embedding")} added`]);
    return { ...report, embeddings_added: counts.added, embeddings_existing: counts.existing };
  });
}

const GENERATIONS: RecordFormat<GenerationRecord> = {
  fromLine: parseGenerationLine,
  columns: GENERATION_COLUMNS,
  fromRows: eachRow(readGenerationRow),
  limit: {
    bytes: 16 * 2 ** 20,
    what: "a generation",
    remedy: 'Each line is one generation, e.g. {"prompt": "a red kite"}. Is it a file of JSON lines?',
  },
};

/** Records the generations of files, one file after the other. @throws Failure that says how far it got and how to go on. */
export async function importGenerations(
  context: Context,
  files: readonly string[],
  options: ImportRecordsOptions,
): Promise<void> {
  const clients: Pick<Clients, "generations"> = openClients(context);
  const skipsBadRows = options.badRows === "skip";
  const send = generationSender(clients);
  await importFiles<FileReport>(context, files, async (deps, file) => {
    const report = await importFile(deps, {
      file,
      identity: { collection: "generations", collectionCreatedAt: "", space: "" },
      open: (start) =>
        openRecordSource(file, GENERATIONS, { start, stdin: process.stdin, signal: deps.signal }),
      batches: ({ rows }) => inRowBatches(rows, { items: options.batchSize, bytes: MAX_BATCH_BYTES }),
      send: (batch, signal) => send(batch, { skipsBadRows, signal }),
      refusesExisting: false,
      skipsBadRows,
      againWith: "the same options",
      patienceSeconds: options.patience,
    });
    if (!context.json) showReport(context, report);
    return report;
  });
}

async function importFiles<Report>(
  context: Context,
  files: readonly string[],
  work: (deps: ImportFileDeps, file: string) => Promise<Report>,
): Promise<void> {
  const steps = context.json ? silentSteps : createSteps(context.terminal);
  using interrupted = interruption(context.env);
  const reports: Report[] = [];
  for (const file of files) reports.push(await work({ context, steps, signal: interrupted.signal }, file));
  if (context.json) context.terminal.json({ files: reports });
}
