import { resolve } from "node:path";
import {
  ListModelCacheResponseSchema,
  ModelCacheEntrySchema,
  type ModelCacheEntry,
} from "@kindred/contracts/generation-tracking/v1";
import type { Command } from "commander";
import { openClients } from "../clients.ts";
import type { Context } from "../context.ts";
import { bytesOption, idArgument, idsArgument } from "../models-cache/arguments.ts";
import { addEvictCommand } from "../models-cache/evict.ts";
import { lookAtPath } from "../models-cache/look-at-path.ts";
import { renderEntries } from "../models-cache/render-entries.ts";
import { addVerifyCommand } from "../models-cache/verify.ts";
import { toPlain } from "../plain.ts";
import { plural } from "../terminal/format.ts";
import { addRepeatOptions, repeatedly, type RepeatOptions } from "../terminal/repeatedly.ts";
import type { AddCommand } from "./command.ts";
import { integerOption } from "./parse.ts";

interface RegisterOptions {
  type: string;
  name: string;
  size?: bigint;
}

const GROUP_HELP = `
The account of the models in caches: what they take, and when they were used last. The embedding service reports its own models; other
programs register theirs.

Examples:
  kindred models-cache register /srv/models/sd-1.5 --type diffusion --name sd-1.5
  kindred models-cache evict --budget 20GiB
  kindred models-cache verify`;

export const addModelCacheCommands: AddCommand = (program, run) => {
  const models = program
    .command("models-cache")
    .description("models in caches: what they take, when they were used, which may go")
    .addHelpText("after", GROUP_HELP);
  addRepeatOptions(models.command("list"))
    .description("all of them, the latest used first")
    .action((options: RepeatOptions, command: Command) => run(command, (context) => list(context, options)));
  models
    .command("register <path>")
    .description("make an entry, or give one its new size")
    .requiredOption("--type <type>", 'what kind of model it is, e.g. "diffusion"')
    .requiredOption("--name <name>", "as its publisher writes it")
    .option(
      "--size <size>",
      "what it takes, e.g. 4GiB (default: what is found at the path here)",
      bytesOption,
    )
    .action((path: string, options: RegisterOptions, command: Command) =>
      run(command, (context) => register(context, path, options)),
    );
  models
    .command("touch")
    .argument("<id>", "as list shows it", idArgument)
    .description("count uses, and say that it was used just now")
    .option("--uses <count>", "how many", integerOption(0, 1_000_000), 1)
    .action((id: bigint, { uses }: { uses: number }, command: Command) =>
      run(command, async (context) => {
        show(context, (await openClients(context).modelCache.touchModel({ id, accesses: uses })).entry);
      }),
    );
  addEvictCommand(models, run);
  addVerifyCommand(models, run);
  models
    .command("remove")
    .argument("<ids...>", "as list shows them", idsArgument)
    .description("remove entries; files stay")
    .action((ids: readonly bigint[], _options, command: Command) =>
      run(command, async (context) => {
        const { removed } = await openClients(context).modelCache.removeModels({ ids: [...ids] });
        if (context.json) context.terminal.json({ removed: Number(removed) });
        else context.terminal.result(` removed: ${removed} of ${plural(new Set(ids).size, "id")}`);
      }),
    );
};

async function list(context: Context, options: RepeatOptions): Promise<void> {
  const { modelCache } = openClients(context);
  await repeatedly(context, options, async (signal) => {
    const reply = await modelCache.listModelCache({}, { signal });
    if (context.json) return toPlain(ListModelCacheResponseSchema, reply);
    return reply.entries.length === 0
      ? " no model is in a cache"
      : renderEntries(context.terminal, reply.entries, new Date());
  });
}

async function register(
  context: Context,
  given: string,
  { type, name, size }: RegisterOptions,
): Promise<void> {
  const { terminal } = context;
  const path = resolve(given);
  const finding = size === undefined ? await lookAtPath(path) : undefined;
  const sizeBytes = finding?.state === "present" ? finding.sizeBytes : size;
  const { entry, existing } = await openClients(context).modelCache.registerModel({
    modelType: type,
    modelName: name,
    cachePath: path,
    ...(sizeBytes !== undefined && { sizeBytes }),
  });
  if (context.json && entry) terminal.json({ ...toPlain(ModelCacheEntrySchema, entry), existing });
  else show(context, entry);
  if (sizeBytes === undefined)
    terminal.note(` nothing can be read at ${path} here, so that its size is not known: --size says it`);
}

function show({ terminal, json }: Context, entry: ModelCacheEntry | undefined): void {
  if (!entry) return;
  if (json) terminal.json(toPlain(ModelCacheEntrySchema, entry));
  else terminal.result(renderEntries(terminal, [entry], new Date()));
}
