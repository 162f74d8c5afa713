import {
  GenerationSchema,
  GenerationSortKey,
  type Generation,
} from "@kindred/contracts/generation-tracking/v1";
import { Option, type Command } from "commander";
import { openClients } from "../clients.ts";
import type { AddCommand } from "../commands/command.ts";
import { integerOption } from "../commands/parse.ts";
import type { Context } from "../context.ts";
import { toPlain } from "../plain.ts";
import { addRepeatOptions, repeatedly, type RepeatOptions } from "../terminal/repeatedly.ts";
import { addFilterOptions, FILTER_HELP, filterOf, type FilterOptions } from "./filter-options.ts";
import { renderGenerations } from "./render-generation.ts";

const SORT_KEYS = {
  created: GenerationSortKey.CREATED_AT,
  time: GenerationSortKey.GENERATION_TIME,
  memory: GenerationSortKey.MEMORY_USAGE,
  rating: GenerationSortKey.RATING,
} as const;

interface ListOptions extends FilterOptions, RepeatOptions {
  limit: number;
  sort: keyof typeof SORT_KEYS;
  ascending?: boolean;
}

const HELP = `${FILTER_HELP}

Examples:
  kindred generations list --status failed --since 2026-07-01
  kindred generations list --sort time --model-name sdxl -n 10         the ten that took the longest
  kindred generations list --status running --watch
  kindred generations list --words '"red kite" -night' --rating 4..
  kindred generations list --config scheduler.name=ddim --label favourite --json | jq '.generations[].prompt'`;

export const addListCommand: AddCommand = (generations, run) => {
  addFilterOptions(
    addRepeatOptions(generations.command("list"))
      .description("generations that match, newest first unless asked otherwise")
      .option("-n, --limit <count>", "how many", integerOption(1, 100_000), 20)
      .addOption(
        new Option("--sort <key>", "by what; those without such a value come last")
          .choices(Object.keys(SORT_KEYS))
          .default("created"),
      )
      .option("--ascending", "the least first"),
  )
    .addHelpText("after", HELP)
    .action((options: ListOptions, command: Command) => run(command, (context) => list(context, options)));
};

async function list(context: Context, options: ListOptions): Promise<void> {
  await repeatedly(context, options, async (signal) => {
    const found = await newest(context, options, signal);
    if (context.json)
      return { generations: found.map((generation) => toPlain(GenerationSchema, generation)) };
    return found.length === 0
      ? " no generation is recorded that matches"
      : renderGenerations(context.terminal, found, options.sort);
  });
}

async function newest(context: Context, options: ListOptions, signal: AbortSignal): Promise<Generation[]> {
  const { generations } = openClients(context);
  const filter = filterOf(options);
  const order = { key: SORT_KEYS[options.sort], ascending: options.ascending ?? false };
  const found: Generation[] = [];
  let pageToken = "";
  do {
    const pageSize = Math.min(options.limit - found.length, 1_000);
    const page = await generations.listGenerations({ pageSize, pageToken, filter, order }, { signal });
    found.push(...page.generations);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && found.length < options.limit);
  return found;
}
