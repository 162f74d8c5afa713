import { extname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "../context.ts";
import { NO_HEADER, openVectorFile, type VectorFile, type VectorFormat } from "../embedding/vector-file.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { interruption } from "../interruption.ts";
import { formatBytes, formatCount, formatMs, plural } from "../terminal/format.ts";
import { createSteps, silentSteps, type Step } from "../terminal/steps.ts";
import { openParquetSink, type ParquetFormat } from "./parquet-sink.ts";
import { PARQUET } from "./parquet-rows.ts";
import type { ReadDeps } from "./read-images.ts";
import { JSON_LINES } from "./record-source.ts";

/** How rows become a file, or lines on standard output. */
export interface FileFormat<Rows> {
  open: () => Promise<VectorFile<Rows>>;
  /** What stands before all rows, and how rows are written. */
  lines: { first: string; encode: (rows: Rows) => string };
}

/** What is written, and where. */
export interface FileExport<Rows> {
  /** "-" is standard output. */
  path: string;
  format: FileFormat<Rows>;
  /** A second file of the same rows. */
  beside?: { path: string; format: VectorFormat<Rows>; note: string } | undefined;
  /** Length of the vectors, for formats that say so. */
  dimensions: number;
  read: (deps: ReadDeps) => AsyncGenerator<Rows>;
  countOf: (rows: Rows) => number;
  /** How many there are, about; undefined when nobody knows. */
  total: number | undefined;
  /** What is counted, e.g. "item". */
  noun: string;
  /** What is waited for when it is away, e.g. "the store", and what is said when it is back. */
  waitsFor: string;
  resumedNote: string;
  patienceSeconds: number;
}

/** Writes a file that appears under its name when it is complete, or lines to standard output. @throws Failure */
export async function exportFile<Rows>(context: Context, work: FileExport<Rows>): Promise<void> {
  const { terminal } = context;
  const { path, format, beside, countOf, noun } = work;
  using interrupted = interruption(context.env);
  const { signal } = interrupted;
  const toStdout = path === "-";
  await using file = toStdout ? undefined : await format.open();
  await using second = beside && (await openVectorFile(beside.path, beside.format));
  const write = async (rows: Rows): Promise<boolean> => {
    if (!file) return await terminal.part(format.lines.encode(rows));
    await file.write(rows);
    await second?.write(rows);
    return true;
  };
  const steps =
    context.json || (toStdout && terminal.width !== undefined) ? silentSteps : createSteps(terminal);
  const startedAt = performance.now();
  let done = 0;
  try {
    await steps.run("export", async (step) => {
      step.progress("reading");
      if (toStdout && format.lines.first !== "") await terminal.part(format.lines.first);
      const batches = work.read({
        sleep: (ms, sleepSignal) => sleep(ms, undefined, { signal: sleepSignal }),
        now: () => performance.now(),
        onWaiting: (reason) =>
          steps.note(`  waiting up to ${work.patienceSeconds} s for ${work.waitsFor}: ${reason}`),
        onResumed: () => steps.note(`  ${work.resumedNote}`),
        patienceMs: work.patienceSeconds * 1_000,
        signal,
      });
      for await (const rows of batches) {
        if (!(await write(rows))) return { summary: `${plural(done, noun)}; standard output takes no more` };
        done += countOf(rows);
        showProgress(step, noun, done, work.total, startedAt);
      }
      return { summary: plural(done, noun) };
    });
    if (!file) return;
    await second?.complete(done, work.dimensions);
    const bytes = await file.complete(done, work.dimensions);
    const seconds = Number(((performance.now() - startedAt) / 1_000).toFixed(3));
    if (context.json) terminal.json({ file: path, [`${noun}s`]: done, bytes, seconds });
    else
      terminal.result(` written ${path} (${plural(done, noun)}, ${formatBytes(bytes)})${beside?.note ?? ""}`);
  } catch (error) {
    if (!signal.aborted) throw error;
    const kept = toStdout ? "" : `; ${path} was not written`;
    throw new Failure(`Stopped after ${plural(done, noun)}${kept}.`, {
      exitCode: EXIT.interrupted,
      cause: error,
    });
  }
}

/** JSON lines or Parquet, by the extension of the file's name. @throws Failure for any other. */
export function recordFormat<Record>(
  path: string,
  lineOf: (record: Record) => string,
  parquet: ParquetFormat<readonly Record[]>,
): FileFormat<readonly Record[]> {
  const encode = (records: readonly Record[]): string => records.map(lineOf).join("");
  const lines = { first: "", encode };
  const extension = extname(path).toLowerCase();
  if (path === "-" || JSON_LINES.has(extension))
    return { open: () => openVectorFile(path, { ...NO_HEADER, encode }), lines };
  if (extension === PARQUET) return { open: () => openParquetSink(path, parquet), lines };
  throw new Failure(`${path}: its extension says how rows are written, and it is none of those known.`, {
    exitCode: EXIT.usage,
    remedy: "Give it one of .jsonl (JSON lines) or .parquet; - is JSON lines to standard output",
  });
}

function showProgress(
  step: Step,
  noun: string,
  done: number,
  total: number | undefined,
  startedAt: number,
): void {
  const elapsedMs = performance.now() - startedAt;
  const isPredictable = total !== undefined && done > total / 20 && done < total;
  const left = isPredictable ? [`${formatMs((elapsedMs * (total - done)) / done)} left`] : [];
  const rate = `${formatCount(Math.round((1_000 * done) / Math.max(elapsedMs, 1)))}/s`;
  step.progress("reading", done, total || undefined, [plural(done, noun), rate, ...left].join(", "));
}
