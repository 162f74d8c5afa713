import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ItemBatch } from "@kindred/contracts/vector-store/v1";
import { openClients, type Clients } from "../clients.ts";
import type { Context } from "../context.ts";
import { openVectorFile, type VectorFile } from "../embedding/vector-file.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { interruption } from "../interruption.ts";
import { formatBytes, formatCount, formatMs, plural } from "../terminal/format.ts";
import { createSteps, silentSteps, type Step } from "../terminal/steps.ts";
import { exportFormat } from "./export-format.ts";
import { exportItems } from "./export-items.ts";
import { filterOf, type FilterOptions } from "./filter-option.ts";
import { shapeOfCollection } from "./shape-of.ts";

export interface ExportCommandOptions extends FilterOptions {
  /** false with --no-vector. */
  vector: boolean;
  keys?: string;
  patience: number;
  /** Whether the collection itself is written, too. */
  withCollection?: boolean;
}

/** Writes the items of a collection to a file, or to standard output. @throws Failure */
export async function runExport(
  context: Context,
  name: string,
  path: string,
  options: ExportCommandOptions,
): Promise<void> {
  const { terminal } = context;
  const filter = filterOf(options);
  const clients = openClients(context);
  const { collection } = await clients.collections.getCollection({ name });
  const shape = shapeOfCollection(collection);
  const format = exportFormat(path, shape, {
    vector: options.vector,
    keys: options.keys,
    collection: options.withCollection ? collection : undefined,
  });
  if (options.keys !== undefined && resolve(options.keys) === resolve(path))
    throw new Failure(`--keys ${options.keys} is the file of the vectors.`, { exitCode: EXIT.usage });
  const total = filter ? undefined : await estimateRows(clients, name);
  using interrupted = interruption(context.env);
  const { signal } = interrupted;
  const toStdout = path === "-";
  await using items = toStdout ? undefined : await format.open();
  await using keys =
    format.keys && options.keys !== undefined ? await openVectorFile(options.keys, format.keys) : undefined;
  const write = async (batch: ItemBatch): Promise<boolean> => {
    if (!items) return await terminal.part(format.lines.encode(batch));
    await items.write(batch);
    await keys?.write(batch);
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
      const batches = exportItems(
        { collection: name, projection: { vector: options.vector }, ...(filter && { filter }) },
        {
          client: clients.vectors,
          sleep: (ms, sleepSignal) => sleep(ms, undefined, { signal: sleepSignal }),
          now: () => performance.now(),
          onWaiting: (reason) => steps.note(`  waiting up to ${options.patience} s for the store: ${reason}`),
          onResumed: () =>
            steps.note("  the store is back; going on behind the last key, with what has changed since"),
        },
        { patienceMs: options.patience * 1_000, signal },
      );
      for await (const batch of batches) {
        if (!(await write(batch)))
          return { summary: `${plural(done, "item")}; standard output takes no more` };
        done += batch.keys.length;
        showProgress(step, done, total, startedAt);
      }
      return { summary: plural(done, "item") };
    });
    if (!items) return;
    await keys?.complete(done, shape.dimensions);
    const bytes = await items.complete(done, shape.dimensions);
    const seconds = (performance.now() - startedAt) / 1_000;
    if (context.json) terminal.json({ file: path, items: done, bytes, seconds: Number(seconds.toFixed(3)) });
    else
      terminal.result(
        ` written ${path} (${plural(done, "item")}, ${formatBytes(bytes)})${keysNote(keys, options)}`,
      );
  } catch (error) {
    if (!signal.aborted) throw error;
    const kept = toStdout ? "" : `; ${path} was not written`;
    throw new Failure(`Stopped after ${plural(done, "item")}${kept}.`, {
      exitCode: EXIT.interrupted,
      cause: error,
    });
  }
}

function keysNote(keys: VectorFile<ItemBatch> | undefined, options: ExportCommandOptions): string {
  return keys ? `, with its keys in ${options.keys}` : "";
}

/** What PostgreSQL thinks: good enough for a bar. */
async function estimateRows({ collections }: Clients, name: string): Promise<number> {
  const { rows } = await collections.getCollectionStatistics({ name });
  return Number(rows);
}

function showProgress(step: Step, done: number, total: number | undefined, startedAt: number): void {
  const elapsedMs = performance.now() - startedAt;
  const isPredictable = total !== undefined && done > total / 20 && done < total;
  const left = isPredictable ? [`${formatMs((elapsedMs * (total - done)) / done)} left`] : [];
  const rate = `${formatCount(Math.round((1_000 * done) / Math.max(elapsedMs, 1)))}/s`;
  step.progress("reading", done, total || undefined, [plural(done, "item"), rate, ...left].join(", "));
}
