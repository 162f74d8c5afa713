import { CountGenerationsResponseSchema } from "@kindred/contracts/generation-tracking/v1";
import type { Command } from "commander";
import { openClients } from "../clients.ts";
import type { AddCommand } from "../commands/command.ts";
import { integerOption } from "../commands/parse.ts";
import type { Context } from "../context.ts";
import { toPlain } from "../plain.ts";
import { plural } from "../terminal/format.ts";
import { addFilterOptions, FILTER_HELP, filterOf, type FilterOptions } from "./filter-options.ts";

interface CountOptions extends FilterOptions {
  limit?: number;
}

const HELP = `${FILTER_HELP}

Examples:
  kindred generations count --status failed --error-contains "out of memory"
  kindred generations count --limit 10000 --rating 5`;

export const addCountCommand: AddCommand = (generations, run) => {
  addFilterOptions(
    generations
      .command("count")
      .description("how many generations match")
      .option("--limit <count>", "count no further than this", integerOption(1, 10_000_000)),
  )
    .addHelpText("after", HELP)
    .action((options: CountOptions, command: Command) => run(command, (context) => count(context, options)));
};

async function count(context: Context, options: CountOptions): Promise<void> {
  const { terminal } = context;
  const reply = await openClients(context).generations.countGenerations({
    filter: filterOf(options),
    limit: BigInt(options.limit ?? 0),
  });
  if (context.json) terminal.json(toPlain(CountGenerationsResponseSchema, reply));
  else terminal.result(` ${reply.limited ? "more than " : ""}${plural(reply.count, "generation")}`);
}
