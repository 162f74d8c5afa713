import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { openClients } from "../clients.ts";
import { inBatches } from "../coco/batches.ts";
import { readCocoFile } from "../coco/coco-file.ts";
import { importBatches, type ImportOutcome } from "../coco/import-batches.ts";
import { cocoStore, storeTime } from "../coco/store.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { explain, Failure } from "../failure.ts";
import { interruption } from "../interruption.ts";
import { formatCount, formatMs, plural } from "../terminal/format.ts";
import { createSteps, silentSteps, type Steps } from "../terminal/steps.ts";
import { addImportFileCommands } from "./import-files.ts";
import { integerOption } from "./parse.ts";
import type { AddCommand } from "./command.ts";

interface CocoOptions {
  batchSize: number;
  inFlight: number;
  dataset: string;
  patience: number;
}

/** For programs; every number is exact. */
interface CocoReport {
  images_added: number;
  images_existing: number;
  embeddings_added: number;
  embeddings_existing: number;
  /** Batches that were sent but not answered: each is stored or not. Other than 0 only when the import ended early. */
  batches_unconfirmed: number;
  complete: boolean;
  seconds: number;
  captions_per_second: number;
}

const HELP = `
Each picture becomes one image (image_path coco/val2017/<file_name>), each of its captions one embedding. A batch is stored whole or
not at all, and what is stored already is not added again: after an error, or Ctrl+C, run the same command again.
When a service is restarted meanwhile, the import waits for it and goes on.

Examples:
  kindred import coco captions_val2017.json
  kindred import coco captions_train2017.json --dataset coco-train2017 --json`;

export const addImportCommands: AddCommand = (program, run) => {
  const group = program.command("import").description("add pictures, collections or generations of files");
  addImportFileCommands(group, run);
  group
    .command("coco <file>")
    .description("add the pictures and captions of a COCO captions file")
    .option(
      "--batch-size <captions>",
      "captions that are embedded and stored together",
      integerOption(1, 10_000),
      256,
    )
    .option("--in-flight <batches>", "batches under way at the same time", integerOption(1, 64), 4)
    .option("--dataset <name>", "name of the data set", "coco-val2017")
    .option(
      "--patience <seconds>",
      "give up when nothing could be stored for so long",
      integerOption(0, 86_400),
      120,
    )
    .addHelpText("after", HELP)
    .action((file: string, options: CocoOptions, command: Command) =>
      run(command, (context) => importCoco(context, file, options)),
    );
};

async function importCoco(context: Context, file: string, options: CocoOptions): Promise<void> {
  const pictures = await readCocoFile(file);
  const captions = pictures.reduce((sum, picture) => sum + picture.captions.length, 0);
  const clients = openClients(context);
  const startedAt = performance.now();
  const store = cocoStore(clients, options.dataset, await storeTime(clients));
  const steps = context.json ? silentSteps : createSteps(context.terminal);
  using interrupted = interruption(context.env);
  const { outcome } = await steps.run("import", async (step) => {
    let done = 0;
    const show = (): void => step.progress("storing", done, captions, rateLine(done, captions, startedAt));
    show();
    const result = await importBatches(
      inBatches(pictures, options.batchSize),
      {
        ...store,
        sleep: (ms, signal) => sleep(ms, undefined, { signal }),
        now: () => performance.now(),
        onStored: (batch) => {
          done += batch.captions;
          show();
        },
        onWaiting: (reason) => noteWaiting(steps, reason, options.patience),
        onResumed: () => steps.note("  the service is back; going on"),
      },
      { inFlight: options.inFlight, patienceMs: options.patience * 1_000, signal: interrupted.signal },
    );
    return { outcome: result, summary: result.error === undefined ? "complete" : "ended early" };
  });
  const report = reportOf(outcome, (performance.now() - startedAt) / 1_000);
  if (context.json) context.terminal.json(report);
  else context.terminal.result(renderReport(report));
  if (outcome.error !== undefined) throw endedEarly(outcome, context.url, interrupted.signal.aborted);
}

function noteWaiting(steps: Steps, reason: string, patience: number): void {
  steps.note(`  waiting up to ${patience} s for the services: ${reason}`);
}

function rateLine(done: number, total: number, startedAt: number): string {
  const perMs = done / (performance.now() - startedAt);
  // The first batches tell little: they wait for a model that has just been woken.
  const left = done > total / 20 && done < total ? `, ${formatMs((total - done) / perMs)} left` : "";
  if (done === 0) return `${formatCount(total)} captions`;
  return `${formatCount(done)} of ${formatCount(total)} captions, ${Math.round(perMs * 1_000)}/s${left}`;
}

function reportOf({ counts, unconfirmed, error }: ImportOutcome, seconds: number): CocoReport {
  return {
    images_added: counts.imagesAdded,
    images_existing: counts.imagesExisting,
    embeddings_added: counts.embeddingsAdded,
    embeddings_existing: counts.embeddingsExisting,
    batches_unconfirmed: unconfirmed,
    complete: error === undefined,
    seconds: Number(seconds.toFixed(3)),
    captions_per_second: Math.round((counts.embeddingsAdded + counts.embeddingsExisting) / seconds),
  };
}

function renderReport(report: CocoReport): string {
  const rate = `in ${report.seconds.toFixed(1)} s, ${formatCount(report.captions_per_second)} captions/s`;
  return [
    ` ${plural(report.images_added, "image")} and ${plural(report.embeddings_added, "embedding")} added (${rate})`,
    ` ${plural(report.images_existing, "image")} and ${plural(report.embeddings_existing, "embedding")} were there already`,
  ].join("\n");
}

function endedEarly(outcome: ImportOutcome, url: string, interrupted: boolean): Failure {
  const { message, exitCode } = explain(outcome.error, url);
  const unconfirmed =
    outcome.unconfirmed === 0
      ? ""
      : `; ${plural(outcome.unconfirmed, "batch").replace(/batchs$/, "batches")} more may be stored`;
  return new Failure(
    `The import ended early: ${interrupted ? "stopped by Ctrl+C" : message.replace(/\.$/, "")}${unconfirmed}.`,
    {
      exitCode: interrupted ? EXIT.interrupted : exitCode,
      remedy: "Run the same command again: what is stored is not added twice.",
      cause: outcome.error,
    },
  );
}
