import { isKindredError } from "@kindred/errors";
import { openFaissDataset, type DatasetFolder, type FaissDataset } from "@kindred/faiss";
import { openClients, type Clients } from "../clients.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { explain, Failure } from "../failure.ts";
import { interruption } from "../interruption.ts";
import { formatCount, plural } from "../terminal/format.ts";
import { createSteps, silentSteps, type Steps } from "../terminal/steps.ts";
import { compareNeighbours, type Comparison } from "./compare.ts";
import { asDataFailure, datasetsIn } from "./datasets.ts";
import { progressFile, type ProgressFile } from "./progress-file.ts";
import { migrationReport, renderMigration, type MigrationReport } from "./report.ts";
import { surveyDataset, type Survey } from "./survey.ts";
import { likenessOf, requireLikeness, targetOf, type Likeness, type Target } from "./target.ts";
import { isStillThere, writeRows, type Written } from "./write-rows.ts";

export interface MigrateOptions {
  from: string;
  dataset?: string;
  apply?: boolean;
  batchSize: number;
  space?: string;
  embeddingType: string;
  queries: number;
  k: number;
  patience: number;
}

/** A data set that cannot be migrated, and why. Nothing of it was written. */
interface RefusedDataset {
  dataset: string;
  reason: string;
}

interface Deps {
  context: Context;
  clients: Clients;
  options: MigrateOptions;
  steps: Steps;
  signal: AbortSignal;
}

/**
 * Migrates the data sets of a folder, one after the other; those that are broken are refused, and the others migrated.
 * @throws Failure where one was refused, or could not be completed
 */
export async function runMigrate(context: Context, options: MigrateOptions): Promise<void> {
  const datasets = await datasetsIn(options.from, options.dataset);
  using interrupted = interruption(context.env);
  const deps: Deps = {
    context,
    clients: openClients(context),
    options,
    steps: context.json ? silentSteps : createSteps(context.terminal),
    signal: interrupted.signal,
  };
  const reports: MigrationReport[] = [];
  const refused: RefusedDataset[] = [];
  let ended: Failure | undefined;
  for (const folder of datasets) {
    try {
      const done = await migrate(deps, folder, (partial) => reports.push(partial));
      reports.push(done);
      if (!context.json) context.terminal.result(`${renderMigration(context.terminal, done)}\n`);
    } catch (error) {
      const failure = failureOf(deps, folder, error);
      if (failure.exitCode !== EXIT.data || datasets.length === 1) {
        ended = failure;
        break;
      }
      refused.push({ dataset: folder.name, reason: failure.message });
      deps.steps.note(
        `${context.terminal.colors.red("✘")} ${folder.name} is refused, and nothing of it was written: ${failure.message}`,
      );
    }
  }
  if (context.json) context.terminal.json({ datasets: reports, refused });
  if (ended) throw ended;
  if (refused.length > 0) {
    throw new Failure(
      `${plural(refused.length, "data set")} of ${datasets.length} cannot be migrated: ${refused.map(({ dataset }) => dataset).join(", ")}.`,
      { exitCode: EXIT.data, remedy: "Each one's reason stands above; nothing of them was written." },
    );
  }
}

/** @param onPartial gets the report of a migration that ends early */
async function migrate(
  deps: Deps,
  folder: DatasetFolder,
  onPartial: (report: MigrationReport) => void,
): Promise<MigrationReport> {
  const { options, steps, signal, context } = deps;
  const startedAt = performance.now();
  await using dataset = await asDataFailure(() => openFaissDataset(folder.path));
  if (dataset.index.approximate !== undefined) {
    steps.note(
      `${context.terminal.colors.yellow("!")} ${dataset.name}: the vectors are approximate: ${dataset.index.approximate}`,
    );
  }
  const { target, unchecked } = await targetFor(deps, dataset);
  const progress =
    options.apply && target ? await openProgress(deps, folder, target) : { file: undefined, after: 0 };
  const { survey } = await steps.run("check", async (step) => {
    const found = await asDataFailure(() =>
      surveyDataset(dataset, {
        spread: options.queries,
        before: progress.after,
        signal,
        onRows: (done) => step.progress("reading", done, dataset.index.count),
      }),
    );
    return { survey: found, summary: `${dataset.name}, ${plural(found.vectors, "vector")}` };
  });
  const likeness = target ? await likenessOf(deps.clients, target, survey.spread) : undefined;
  if (target) requireLikeness(likeness, target);
  const facts = { target, unchecked, likeness, resumedAfter: 0 };
  if (!options.apply || !target)
    return report(dataset, survey, { ...facts, written: nothing(0), applied: false, startedAt });

  const written = nothing(await startAt(deps, progress.after, survey));
  facts.resumedAfter = written.vectors;
  let comparison: Comparison | undefined;
  try {
    await steps.run("write", async (step) => {
      const { batchSize, embeddingType, patience } = options;
      await writeRows({ clients: deps.clients, steps, step, progress: progress.file }, dataset, written, {
        batchSize,
        embeddingType,
        patience,
        spaceId: target.spaceId,
        signal,
      });
      return { summary: `${dataset.name}, ${plural(written.vectors, "vector")}` };
    });
    comparison = await compare(deps, dataset, survey, target);
  } catch (error) {
    onPartial(report(dataset, survey, { ...facts, written, applied: true, startedAt, complete: false }));
    throw endedEarly(deps, dataset, written, error);
  }
  await progress.file?.remove();
  return report(dataset, survey, { ...facts, written, applied: true, startedAt, comparison });
}

function report(
  dataset: FaissDataset,
  survey: Survey,
  facts: {
    target: Target | undefined;
    unchecked: string;
    likeness: Likeness | undefined;
    resumedAfter: number;
    written: Written;
    applied: boolean;
    startedAt: number;
    complete?: boolean;
    comparison?: Comparison | undefined;
  },
): MigrationReport {
  return migrationReport(dataset, survey, {
    ...facts,
    complete: facts.complete ?? facts.applied,
    comparison: facts.comparison,
    seconds: (performance.now() - facts.startedAt) / 1_000,
  });
}

function nothing(vectors: number): Written {
  return { imagesAdded: 0, imagesExisting: 0, embeddingsAdded: 0, embeddingsExisting: 0, vectors };
}

/** A dry run says what it can where Kindred cannot be asked; to write, it has to be there. */
async function targetFor(
  { clients, options, context }: Deps,
  dataset: FaissDataset,
): Promise<{ target: Target | undefined; unchecked: string }> {
  try {
    const target = await targetOf(clients, dataset.index.dimensions, options.space);
    return { target, unchecked: "" };
  } catch (error) {
    if (options.apply || !isKindredError(error)) throw error;
    const { exitCode, message } = explain(error, context.url);
    if (exitCode !== EXIT.unavailable) throw error;
    return { target: undefined, unchecked: message.replace(/\.$/, "") };
  }
}

async function openProgress(
  { context, options, steps }: Deps,
  folder: DatasetFolder,
  target: Target,
): Promise<{ file: ProgressFile; after: number }> {
  const file = await progressFile(context.places.cache, {
    origin: context.url,
    folder: folder.path,
    space: target.spaceId,
    embeddingType: options.embeddingType,
  });
  const found = await file.read();
  if (typeof found === "number") return { file, after: found };
  steps.note(`  ${file.path} is not used: ${found}. Starting with the first vector.`);
  return { file, after: 0 };
}

async function startAt({ clients, steps }: Deps, after: number, survey: Survey): Promise<number> {
  if (after === 0) return 0;
  if (await isStillThere(clients, survey.probes)) {
    steps.note(`  going on behind ${formatCount(after)} vectors that are stored already`);
    return after;
  }
  steps.note("  what an earlier migration wrote is gone: starting with the first vector");
  return 0;
}

async function compare(
  { clients, options, steps, signal }: Deps,
  dataset: FaissDataset,
  survey: Survey,
  target: Target,
): Promise<Comparison | undefined> {
  if (options.queries === 0 || survey.spread.length === 0) return undefined;
  const { comparison } = await steps.run("compare", async (step) => {
    const found = await compareNeighbours(clients, dataset, survey.spread, {
      k: options.k,
      spaceId: target.spaceId,
      isUnitLength: survey.isUnitLength,
      signal,
      onAsked: (done) => step.progress("asking", done, survey.spread.length),
    });
    return { comparison: found, summary: `${dataset.name}, ${found.queries} times the ${found.k} nearest` };
  });
  return comparison;
}

const AGAIN = "Run the same command again: it goes on from there, and adds nothing twice.";

function endedEarly(
  { context, signal }: Deps,
  dataset: FaissDataset,
  written: Written,
  error: unknown,
): Failure {
  const count = dataset.index.count;
  const stored = `${formatCount(written.vectors)} of ${plural(count, "vector")} are stored`;
  if (signal.aborted) {
    return new Failure(`Stopped by Ctrl+C: of ${dataset.name}, ${stored}.`, {
      exitCode: EXIT.interrupted,
      remedy: AGAIN,
      cause: error,
    });
  }
  const { message, exitCode } = explain(error, context.url);
  return new Failure(`${dataset.name}: ${message.replace(/\.$/, "")}; ${stored}.`, {
    // A data set that is partly written is not one that was refused.
    exitCode: exitCode === EXIT.data ? EXIT.failure : exitCode,
    remedy: AGAIN,
    cause: error,
  });
}

function failureOf({ context, signal }: Deps, folder: DatasetFolder, error: unknown): Failure {
  if (signal.aborted && !(error instanceof Failure))
    return new Failure(`Stopped by Ctrl+C: nothing of ${folder.name} was written.`, {
      exitCode: EXIT.interrupted,
      cause: error,
    });
  if (error instanceof Failure) return error;
  const { message, exitCode, remedy } = explain(error, context.url);
  return new Failure(`${folder.name}: ${message}`, { exitCode, remedy, cause: error });
}
