import { setTimeout as sleep } from "node:timers/promises";
import { isKindredError, messageOf } from "@kindred/errors";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { explain, Failure } from "../failure.ts";
import { formatCount, formatMs, plural } from "../terminal/format.ts";
import type { Step, Steps } from "../terminal/steps.ts";
import { checkpointFile, type CheckpointFile, type ImportIdentity } from "../vectors/checkpoint.ts";
import {
  BadRowsError,
  importItems,
  UnclearBatchError,
  type ImportDeps,
  type ImportTotals,
} from "../vectors/import-items.ts";
import type { RowBatch } from "../vectors/item-batches.ts";
import { BEGINNING, statesOf, type ItemSource, type Position } from "../vectors/item-source.ts";

/** How long the batch that is under way has after Ctrl+C. */
const GRACE_MS = 10_000;
/** Bad rows that are shown. */
const SHOWN_ROWS = 10;

/** A file of rows, and where they go. */
export interface FileImport<Item> {
  file: string;
  /** A file that belongs to it. */
  keys?: string | undefined;
  /** What it is told apart by from imports of other files and into other places. */
  identity: Omit<ImportIdentity, "files" | "origin">;
  open: (start: Position) => Promise<ItemSource<Item>>;
  batches: (source: ItemSource<Item>) => AsyncGenerator<RowBatch<Item>>;
  send: ImportDeps<Item>["send"];
  refusesExisting: boolean;
  skipsBadRows: boolean;
  /** What the command has as --on-conflict for those who want to import rows again that are there. */
  againWith: string;
  patienceSeconds: number;
}

export interface ImportFileDeps {
  context: Context;
  steps: Steps;
  signal: AbortSignal;
}

/** For programs. */
export interface FileReport {
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

/**
 * Stores the rows of a file in batches, and keeps beside it how far that is: an import that was stopped goes on from there.
 * @throws Failure that says how far it got and how to go on.
 */
export async function importFile<Item>(deps: ImportFileDeps, work: FileImport<Item>): Promise<FileReport> {
  const { steps, signal } = deps;
  const { file, patienceSeconds } = work;
  const checkpoint = await openCheckpoint(deps, work);
  const start = await startOf(checkpoint, file, steps);
  await using source = await work.open(start);
  const startedAt = performance.now();
  const progress: Progress = {
    position: start,
    totals: undefined,
    keepsCheckpoint: checkpoint !== undefined,
  };
  try {
    const { totals } = await steps.run("import", async (step) => {
      const result = await importItems(
        work.batches(source),
        {
          send: work.send,
          onStored: async (position, sofar) => {
            progress.position = position;
            progress.totals = sofar;
            if (progress.keepsCheckpoint && checkpoint) await keep(checkpoint, progress, steps);
            showProgress(step, source, start, progress, startedAt);
          },
          sleep: (ms, sleepSignal) => sleep(ms, undefined, { signal: sleepSignal }),
          now: () => performance.now(),
          onWaiting: (reason) =>
            steps.note(`  waiting up to ${patienceSeconds} s for the services: ${reason}`),
          onResumed: () => steps.note("  the service is back; going on"),
        },
        {
          refusesExisting: work.refusesExisting,
          skipsBadRows: work.skipsBadRows,
          patienceMs: patienceSeconds * 1_000,
          signal,
          graceMs: GRACE_MS,
        },
      );
      return { totals: result, summary: `${source.name}, ${plural(rowsOf(result), "row")}` };
    });
    await checkpoint?.remove();
    return reportOf(file, totals, start, (performance.now() - startedAt) / 1_000);
  } catch (error) {
    throw endedEarly(deps, work, source, progress, error);
  }
}

interface Progress {
  position: Position;
  totals: ImportTotals | undefined;
  keepsCheckpoint: boolean;
}

async function openCheckpoint<Item>(
  { context }: ImportFileDeps,
  { file, keys, identity }: FileImport<Item>,
): Promise<CheckpointFile | undefined> {
  const files = await statesOf(file, keys);
  return files && checkpointFile(file, { origin: context.url, ...identity, files });
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

function showProgress(
  step: Step,
  source: Pick<ItemSource, "shareAt">,
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

/** @param also what else was counted, e.g. "300 embeddings added" */
export function showReport({ terminal }: Context, report: FileReport, also: readonly string[] = []): void {
  const { file, inserted, replaced, skipped, rejected, seconds, rows_per_second: rate } = report;
  const counts = [
    `${formatCount(inserted)} inserted`,
    ...(replaced > 0 ? [`${formatCount(replaced)} replaced`] : []),
    ...(skipped > 0 ? [`${formatCount(skipped)} skipped, being there already`] : []),
    ...also,
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
function endedEarly<Item>(
  { context, signal }: ImportFileDeps,
  { refusesExisting, againWith }: FileImport<Item>,
  source: Pick<ItemSource, "name" | "unit">,
  progress: Progress,
  error: unknown,
): Failure {
  const { position, keepsCheckpoint } = progress;
  const stored =
    position.lines === 0
      ? "nothing of it is stored"
      : `everything up to ${source.unit} ${formatCount(position.lines)} is stored`;
  const anew = refusesExisting
    ? `Run it again with ${againWith}: what is stored already is no error then.`
    : "Run it again: what is stored already is not added twice.";
  const again = keepsCheckpoint ? AGAIN : anew;
  if (error instanceof BadRowsError) {
    const [first, ...others] = error.rows;
    const more = others.length === 0 ? "" : `, and ${plural(others.length, "more bad row")} in this batch`;
    const correct = refusesExisting ? `correct them and import with ${againWith}` : "correct them";
    return new Failure(
      `${source.name}, ${source.unit} ${formatCount(first?.line ?? 0)}: ${first?.reason}${more}; ${stored}.`,
      {
        exitCode: EXIT.data,
        remedy: `Leave such rows out with --bad-rows skip, or ${correct}.`,
        cause: error,
      },
    );
  }
  if (error instanceof UnclearBatchError) {
    return new Failure(
      `${source.name}: an answer was lost, and then keys of ${source.unit}s ${formatCount(error.firstLine)} to ${formatCount(error.lastLine)} were there: stored just now, or before; ${stored}.`,
      { remedy: `Go on with ${againWith} if they are yours.`, cause: error },
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
  const { message, exitCode, remedy } = explain(error, context.url);
  const isConflict = refusesExisting && isKindredError(error) && error.kind === "already-exists";
  return new Failure(`${source.name}: ${message.replace(/\.$/, "")}; ${stored}.`, {
    exitCode,
    remedy: isConflict
      ? `Say what to do with what is there already: ${againWith}.`
      : exitCode === EXIT.unavailable
        ? again
        : remedy,
    cause: error,
  });
}
