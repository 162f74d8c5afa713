import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { timestampFromDate, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  ModelCacheEntrySchema,
  type AdviseEvictionResponse,
  type ModelCacheEntry,
} from "@kindred/contracts/generation-tracking/v1";
import type { Command } from "commander";
import { openClients } from "../clients.ts";
import type { AddCommand } from "../commands/command.ts";
import { dateOption } from "../commands/parse.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { unreadable } from "../file-error.ts";
import { toPlain } from "../plain.ts";
import { confirmHere } from "../terminal/confirm.ts";
import { formatBytes, plural } from "../terminal/format.ts";
import { oneLine } from "../terminal/table.ts";
import { bytesOption } from "./arguments.ts";
import { deleteModel, planDeletion, type Deletion } from "./delete-model.ts";
import { bytesOf, renderEntries } from "./render-entries.ts";

interface EvictOptions {
  budget: bigint;
  type?: string;
  keepUsedSince?: Date;
  apply?: boolean;
  yes?: boolean;
  root?: string;
}

/** Ids that are removed in a call. */
const REMOVE_IDS = 1_000;

const HELP = `
Without --apply it is advice: nothing is deleted. With it, files are deleted only really below the root, links never; their entries are removed
then, and those of models that are not there any more. A model that is used while one is asked stays.
Exit code 1 when the rest does not fit, or some were not deleted because of their place; 73 when some could not be deleted.

Examples:
  kindred models-cache evict --budget 20GiB
  kindred models-cache evict --budget 20GiB --keep-used-since 2026-07-01 --apply`;

export const addEvictCommand: AddCommand = (models, run) => {
  models
    .command("evict")
    .description("which models to delete so that the others fit, the least recently used first")
    .requiredOption("--budget <size>", "what they may take, e.g. 512MiB or 20GiB", bytesOption)
    .option("--type <type>", "only models of this type")
    .option("--keep-used-since <time>", "spare those that were used since", dateOption)
    .option("--apply", "delete their files; run it where they are")
    .option("-y, --yes", "do not ask")
    .option("--root <folder>", "delete only below this folder (default: Kindred's cache here)")
    .addHelpText("after", HELP)
    .action((options: EvictOptions, command: Command) => run(command, (context) => evict(context, options)));
};

async function evict(context: Context, options: EvictOptions): Promise<ExitCode> {
  const { terminal, json } = context;
  const { budget, type, keepUsedSince, apply = false } = options;
  const { modelCache } = openClients(context);
  const advice = await modelCache.adviseEviction({
    budgetBytes: budget,
    modelType: type ?? "",
    ...(keepUsedSince && { keepUsedSince: timestampFromDate(keepUsedSince) }),
  });
  if (!apply || advice.evict.length === 0) {
    if (json) terminal.json(plainAdvice(advice, budget, apply, []));
    else terminal.result(renderAdvice(context, advice, budget));
    return advice.fits ? EXIT.ok : EXIT.failure;
  }
  if (!json) terminal.result(renderAdvice(context, advice, budget));
  const deletions = await applyAdvice(context, advice, options);
  if (json) terminal.json(plainAdvice(advice, budget, apply, deletions));
  else for (const line of renderDeletions(deletions)) terminal.result(line);
  if (deletions.some(({ state }) => state === "failed")) return EXIT.cannotWrite;
  return deletions.some(({ state }) => state === "refused") || !advice.fits ? EXIT.failure : EXIT.ok;
}

async function applyAdvice(
  context: Context,
  advice: AdviseEvictionResponse,
  { yes = false, root: given }: EvictOptions,
): Promise<Deletion[]> {
  const { modelCache } = openClients(context);
  const root = await folderOf(given ?? context.places.cache);
  const planned = await Promise.all(advice.evict.map((entry) => planDeletion(root, entry)));
  const doomed = planned.filter(({ state }) => state === "deleted");
  if (doomed.length > 0) {
    const bytes = doomed.reduce((sum, { entry }) => sum + bytesOf(entry.sizeMb ?? 0), 0);
    const question = `Delete ${plural(doomed.length, "model")}, ${formatBytes(bytes)}, below ${root}`;
    await confirmHere(question, context, yes);
  }
  // Somebody may have taken their time to answer.
  const now = new Map((await modelCache.listModelCache({})).entries.map((entry) => [entry.id, entry]));
  const deletions: Deletion[] = [];
  for (const deletion of planned) {
    const used = wasUsed(deletion.entry, now.get(deletion.entry.id));
    deletions.push(
      used
        ? { ...deletion, state: "used", reason: "it was used meanwhile" }
        : await deleteModel(root, deletion),
    );
  }
  const gone = deletions.filter(({ state }) => state === "deleted" || state === "missing");
  for (let from = 0; from < gone.length; from += REMOVE_IDS)
    await modelCache.removeModels({ ids: gone.slice(from, from + REMOVE_IDS).map(({ entry }) => entry.id) });
  return deletions;
}

function wasUsed(before: ModelCacheEntry, now: ModelCacheEntry | undefined): boolean {
  const at = (entry: ModelCacheEntry) => entry.lastAccessed && timestampMs(entry.lastAccessed);
  return now !== undefined && (now.accessCount !== before.accessCount || at(now) !== at(before));
}

async function folderOf(given: string): Promise<string> {
  const path = resolve(given);
  const found = await stat(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  if (!found.isDirectory()) throw new Failure(`${path} is no folder.`, { exitCode: EXIT.data });
  return path;
}

function plainAdvice(
  advice: AdviseEvictionResponse,
  budget: bigint,
  applied: boolean,
  deletions: readonly Deletion[],
) {
  const outcomes = new Map(deletions.map((deletion) => [deletion.entry.id, deletion]));
  return {
    budget_bytes: Number(budget),
    total_bytes: Number(advice.totalBytes),
    evicted_bytes: Number(advice.evictedBytes),
    unknown_sizes: Number(advice.unknownSizes),
    fits: advice.fits,
    applied,
    evict: advice.evict.map((entry) => {
      const outcome = outcomes.get(entry.id);
      return {
        ...toPlain(ModelCacheEntrySchema, entry),
        ...(outcome && { state: outcome.state }),
        ...(outcome?.reason !== undefined && { reason: outcome.reason }),
      };
    }),
  };
}

function renderAdvice({ terminal }: Context, advice: AdviseEvictionResponse, budget: bigint): string {
  const { evict: entries, totalBytes, evictedBytes, unknownSizes, fits } = advice;
  const unknown =
    unknownSizes === 0n ? "" : `; of ${plural(unknownSizes, "more model")} nobody knows the size`;
  const rest = formatBytes(totalBytes - evictedBytes);
  const end = fits ? "which fits" : "which does not fit: the others are spared";
  const summary =
    entries.length === 0
      ? ` they take ${formatBytes(totalBytes)} of ${formatBytes(budget)}: ${fits ? "nothing has to go" : "all are spared"}${unknown}`
      : ` ${plural(entries.length, "model")} of ${formatBytes(evictedBytes)} to delete; the others take ${rest} of ${formatBytes(budget)}, ${end}${unknown}`;
  return entries.length === 0 ? summary : `${renderEntries(terminal, entries, new Date())}\n${summary}`;
}

function renderDeletions(deletions: readonly Deletion[]): string[] {
  const count = (state: Deletion["state"]) => deletions.filter((deletion) => deletion.state === state).length;
  const missing = count("missing");
  return [
    ...deletions
      .filter(({ reason }) => reason !== undefined)
      .map(({ entry, reason }) => ` not deleted: ${oneLine(entry.cachePath)}: ${reason}`),
    ` ${plural(count("deleted"), "model")} deleted${missing > 0 ? `; ${missing} had gone before` : ""}`,
  ];
}
