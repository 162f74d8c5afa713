import { setTimeout as sleep } from "node:timers/promises";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { BadRowPolicy, ConflictPolicy, type Collection } from "@kindred/contracts/vector-store/v1";
import { messageOf } from "@kindred/errors";
import { openClients, translated, type Clients } from "../clients.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { explain, Failure } from "../failure.ts";
import { interruption } from "../interruption.ts";
import { formatCount, formatMs, plural } from "../terminal/format.ts";
import { createSteps, silentSteps, type Step, type Steps } from "../terminal/steps.ts";
import { checkpointFile, type CheckpointFile } from "./checkpoint.ts";
import {
  BadRowsError,
  importItems,
  UnclearBatchError,
  type ImportTotals,
  type Stored,
} from "./import-items.ts";
import { inItemBatches, toItemBatch, type RowBatch } from "./item-batches.ts";
import { BEGINNING, openItemSource, statesOf, type ItemSource, type Position } from "./item-source.ts";
import { shapeOfCollection } from "./shape-of.ts";

export const CONFLICTS = {
  error: ConflictPolicy.ERROR,
  skip: ConflictPolicy.SKIP,
  replace: ConflictPolicy.REPLACE,
} as const;

export const BAD_ROWS = {
  reject: BadRowPolicy.REJECT_BATCH,
  skip: BadRowPolicy.SKIP_ROW,
} as const;

export interface ImportCommandOptions {
  onConflict: keyof typeof CONFLICTS;
  badRows: keyof typeof BAD_ROWS;
  batchSize: number;
  space?: string;
  keys?: string;
  patience: number;
}

/** Of one message, which may have 32 MiB. */
const MAX_BATCH_BYTES = 16 * 2 ** 20;
/** How long one batch may take: its texts wait behind others in the embedding service's queue. */
const BATCH_TIMEOUT_MS = 180_000;
/** How long the batch that is under way has after Ctrl+C. */
const GRACE_MS = 10_000;
/** Bad rows that are shown. */
const SHOWN_ROWS = 10;

/** For programs. */
interface FileReport {
  file: string;
  inserted: number;
  replaced: number;
  skipped: number;
  rejected: number;
  /** The first hundred. */
  rejected_rows: { line: number; reason: string }[];
  /** Lines or rows that an earlier import had stored. */
  resumed_after: number;
  seconds: number;
  rows_per_second: number;
}

/** Imports one file after the other. @throws Failure that says how far it got and how to go on. */
export async function runImport(
  context: Context,
  name: string,
  files: readonly string[],
  options: ImportCommandOptions,
): Promise<void> {
  if (options.keys !== undefined && files.length > 1)
    throw new Failure("--keys is for one file: import the files one by one.", { exitCode: EXIT.usage });
  const clients = openClients(context);
  const { collection } = await clients.collections.getCollection({ name });
  if (!collection) throw new Failure(`The store does not say what ${name} is like.`);
  const steps = context.json ? silentSteps : createSteps(context.terminal);
  using interrupted = interruption(context.env);
  const reports: FileReport[] = [];
  for (const file of files) {
    const report = await importFile(
      { context, clients, collection, options, steps, signal: interrupted.signal },
      file,
    );
    reports.push(report);
    if (!context.json) showReport(context, report);
  }
  if (context.json) context.terminal.json({ files: reports });
}

interface FileDeps {
  context: Context;
  clients: Clients;
  collection: Collection;
  options: ImportCommandOptions;
  steps: Steps;
  signal: AbortSignal;
}

async function importFile(deps: FileDeps, file: string): Promise<FileReport> {
  const { collection, options, steps, signal } = deps;
  const checkpoint = await openCheckpoint(deps, file);
  const start = await startOf(checkpoint, file, steps);
  await using source = await openItemSource(file, {
    shape: shapeOfCollection(collection),
    keys: options.keys,
    start,
    stdin: process.stdin,
    signal,
  });
  const startedAt = performance.now();
  const progress: Progress = {
    position: start,
    totals: undefined,
    keepsCheckpoint: checkpoint !== undefined,
  };
  try {
    const { totals } = await steps.run("import", async (step) => {
      const result = await importItems(
        inItemBatches(source.rows, { items: options.batchSize, bytes: MAX_BATCH_BYTES }),
        {
          send: (batch, callSignal) => upsert(deps, batch, callSignal),
          onStored: async (position, sofar) => {
            progress.position = position;
            progress.totals = sofar;
            if (progress.keepsCheckpoint && checkpoint) await keep(checkpoint, progress, steps);
            showProgress(step, source, start, progress, startedAt);
          },
          sleep: (ms, sleepSignal) => sleep(ms, undefined, { signal: sleepSignal }),
          now: () => performance.now(),
          onWaiting: (reason) =>
            steps.note(`  waiting up to ${options.patience} s for the services: ${reason}`),
          onResumed: () => steps.note("  the service is back; going on"),
        },
        {
          refusesExisting: options.onConflict === "error",
          skipsBadRows: options.badRows === "skip",
          patienceMs: options.patience * 1_000,
          signal,
          graceMs: GRACE_MS,
        },
      );
      return { totals: result, summary: `${source.name}, ${plural(rowsOf(result), "row")}` };
    });
    await checkpoint?.remove();
    return reportOf(file, totals, start, (performance.now() - startedAt) / 1_000);
  } catch (error) {
    throw endedEarly(deps, source, progress, error);
  }
}

interface Progress {
  position: Position;
  totals: ImportTotals | undefined;
  keepsCheckpoint: boolean;
}

async function openCheckpoint(
  { context, collection, options }: FileDeps,
  file: string,
): Promise<CheckpointFile | undefined> {
  const files = await statesOf(file, options.keys);
  if (!files) return undefined;
  return checkpointFile(file, {
    origin: context.url,
    collection: collection.name,
    collectionCreatedAt: collection.createdAt ? timestampDate(collection.createdAt).toISOString() : "",
    space: options.space ?? "",
    files,
  });
}

async function startOf(
  checkpoint: CheckpointFile | undefined,
  file: string,
  steps: Steps,
): Promise<Position> {
  const found = await checkpoint?.read();
  if (!checkpoint || found === undefined) return BEGINNING;
  if (typeof found === "string") {
    steps.note(`  ${checkpoint.path} is not used: ${found}. Starting at the beginning of ${file}.`);
    return BEGINNING;
  }
  steps.note(`  going on behind ${formatCount(found.lines)} lines of ${file} that are stored already`);
  return found;
}

/** An import goes on without a checkpoint where none can be written. */
async function keep(checkpoint: CheckpointFile, progress: Progress, steps: Steps): Promise<void> {
  try {
    await checkpoint.write(progress.position);
  } catch (error) {
    progress.keepsCheckpoint = false;
    steps.note(
      `  ${checkpoint.path} cannot be written (${messageOf(error)}): interrupted, this import starts anew`,
    );
  }
}

async function upsert(
  { clients, collection, options }: FileDeps,
  batch: RowBatch,
  signal: AbortSignal,
): Promise<Stored> {
  const reply = await translated(() =>
    clients.vectors.upsert(
      {
        collection: collection.name,
        items: toItemBatch(batch.items),
        spaceId: options.space ?? "",
        onConflict: CONFLICTS[options.onConflict],
        badRows: BAD_ROWS[options.badRows],
      },
      { signal, timeoutMs: BATCH_TIMEOUT_MS },
    ),
  );
  return {
    inserted: Number(reply.inserted),
    replaced: Number(reply.replaced),
    skipped: Number(reply.skipped),
    rejected: reply.rejected,
  };
}

function showProgress(
  step: Step,
  source: ItemSource,
  start: Position,
  progress: Progress,
  startedAt: number,
): void {
  const { position, totals } = progress;
  const elapsedMs = performance.now() - startedAt;
  const rows = totals ? rowsOf(totals) : 0;
  const rate = [`${formatCount(Math.round((1_000 * rows) / Math.max(elapsedMs, 1)))}/s`];
  const share = source.shareAt?.(position);
  const done = share === undefined ? 0 : share - (source.shareAt?.(start) ?? 0);
  // The first batches tell little: they may wait for a model that is being loaded.
  const isPredictable = share !== undefined && done > 0.05 && share < 1;
  const left = isPredictable ? [`${formatMs((elapsedMs * (1 - share)) / done)} left`] : [];
  step.progress(
    "storing",
    share,
    share === undefined ? undefined : 1,
    [plural(rows, "row"), ...rate, ...left].join(", "),
  );
}

function rowsOf({ inserted, replaced, skipped, rejected }: ImportTotals): number {
  return inserted + replaced + skipped + rejected;
}

function reportOf(file: string, totals: ImportTotals, start: Position, seconds: number): FileReport {
  const { rejectedRows, ...counts } = totals;
  return {
    file,
    ...counts,
    rejected_rows: rejectedRows,
    resumed_after: start.lines,
    seconds: Number(seconds.toFixed(3)),
    rows_per_second: Math.round(rowsOf(totals) / seconds),
  };
}

function showReport({ terminal }: Context, report: FileReport): void {
  const { file, inserted, replaced, skipped, rejected, seconds, rows_per_second: rate } = report;
  const counts = [
    `${formatCount(inserted)} inserted`,
    ...(replaced > 0 ? [`${formatCount(replaced)} replaced`] : []),
    ...(skipped > 0 ? [`${formatCount(skipped)} skipped, being there already`] : []),
    ...(rejected > 0 ? [`${formatCount(rejected)} bad`] : []),
  ];
  terminal.result(` ${file}: ${counts.join(", ")} (in ${seconds.toFixed(1)} s, ${formatCount(rate)} rows/s)`);
  for (const { line, reason } of report.rejected_rows.slice(0, SHOWN_ROWS))
    terminal.result(`   ${formatCount(line)}: ${reason}`);
  if (rejected > SHOWN_ROWS)
    terminal.result(`   … and ${formatCount(rejected - SHOWN_ROWS)} more (--json has a hundred)`);
}

const AGAIN = "Run the same command again: it goes on from there.";

/** How far the import got, why no further, and how to go on. */
function endedEarly(
  { context, options, signal }: FileDeps,
  source: ItemSource,
  progress: Progress,
  error: unknown,
): Failure {
  const { position, keepsCheckpoint } = progress;
  const stored =
    position.lines === 0
      ? "nothing of it is stored"
      : `everything up to ${source.unit} ${formatCount(position.lines)} is stored`;
  const again = keepsCheckpoint
    ? AGAIN
    : "Run it again with --on-conflict skip or replace: what is stored already is no error then.";
  if (error instanceof BadRowsError) {
    const [first, ...others] = error.rows;
    const more = others.length === 0 ? "" : `, and ${plural(others.length, "more bad row")} in this batch`;
    return new Failure(
      `${source.name}, ${source.unit} ${formatCount(first?.line ?? 0)}: ${first?.reason}${more}; ${stored}.`,
      {
        exitCode: EXIT.data,
        remedy:
          "Leave such rows out with --bad-rows skip, or correct them and import with --on-conflict skip or replace.",
        cause: error,
      },
    );
  }
  if (error instanceof UnclearBatchError) {
    return new Failure(
      `${source.name}: an answer was lost, and then keys of ${source.unit}s ${formatCount(error.firstLine)} to ${formatCount(error.lastLine)} were there: stored just now, or before; ${stored}.`,
      { remedy: "Go on with --on-conflict skip if they are yours, or with replace.", cause: error },
    );
  }
  if (signal.aborted) {
    return new Failure(`Stopped by Ctrl+C: of ${source.name}, ${stored}.`, {
      exitCode: EXIT.interrupted,
      remedy: again,
      cause: error,
    });
  }
  if (error instanceof Failure)
    return new Failure(`${error.message} (${stored})`, {
      exitCode: error.exitCode,
      remedy: error.remedy,
      cause: error,
    });
  const { message, exitCode, kind, remedy } = explain(error, context.url);
  const isConflict = kind === "already-exists" && options.onConflict === "error";
  return new Failure(`${source.name}: ${message.replace(/\.$/, "")}; ${stored}.`, {
    exitCode,
    remedy: isConflict
      ? "Say what to do with keys that are there already: --on-conflict skip, or replace."
      : exitCode === EXIT.unavailable
        ? again
        : remedy,
    cause: error,
  });
}
