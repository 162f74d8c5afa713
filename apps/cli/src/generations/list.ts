import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { GenerationSchema, type Generation } from "@kindred/contracts/generation-tracking/v1";
import { Option, type Command } from "commander";
import { openClients } from "../clients.ts";
import type { AddCommand } from "../commands/command.ts";
import { dateOption, integerOption } from "../commands/parse.ts";
import type { Context } from "../context.ts";
import { toPlain } from "../plain.ts";
import { renderGenerations } from "./render-generation.ts";
import { STATUSES, type StatusName } from "./status.ts";

interface ListOptions {
  limit: number;
  status?: StatusName;
  contains?: string;
  since?: Date;
}

export const addListCommand: AddCommand = (generations, run) => {
  generations
    .command("list")
    .description("the latest generations, newest first")
    .option("-n, --limit <count>", "how many", integerOption(1, 100_000), 20)
    .addOption(
      new Option("--status <status>", "only those that ended so, or run").choices(Object.keys(STATUSES)),
    )
    .option("--contains <text>", "only those whose prompt contains this, in any case")
    .option(
      "--since <time>",
      "only those recorded since, e.g. 2026-07-01 or 2026-07-01T12:00:00Z",
      dateOption,
    )
    .action((options: ListOptions, command: Command) => run(command, (context) => list(context, options)));
};

async function list(context: Context, options: ListOptions): Promise<void> {
  const { terminal } = context;
  const { generations } = openClients(context);
  const found: Generation[] = [];
  let pageToken = "";
  do {
    const page = await generations.listGenerations({
      pageSize: Math.min(options.limit - found.length, 1_000),
      pageToken,
      promptContains: options.contains ?? "",
      ...(options.status && { status: STATUSES[options.status] }),
      ...(options.since && { createdAfter: timestampFromDate(options.since) }),
    });
    found.push(...page.generations);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && found.length < options.limit);
  if (context.json)
    terminal.json({ generations: found.map((generation) => toPlain(GenerationSchema, generation)) });
  else if (found.length === 0) terminal.result(" no generation is recorded that matches");
  else terminal.result(renderGenerations(terminal, found));
}
