import { GetLineageResponseSchema } from "@kindred/contracts/generation-tracking/v1";
import type { Command } from "commander";
import { openClients } from "../clients.ts";
import type { AddCommand } from "../commands/command.ts";
import { integerOption } from "../commands/parse.ts";
import type { Context } from "../context.ts";
import { toPlain } from "../plain.ts";
import { idArgument } from "./arguments.ts";
import { renderLineage } from "./render-lineage.ts";

export const addLineageCommand: AddCommand = (generations, run) => {
  generations
    .command("lineage")
    .argument("<id>", "which generation", idArgument)
    .description("what a generation was made from, and what was made from it")
    .option("--depth <steps>", "how far up and down", integerOption(1, 10), 3)
    .addHelpText(
      "after",
      `
Examples:
  kindred generations lineage 17
  kindred generations lineage 17 --depth 10 --json | jq '.ancestors[].id'`,
    )
    .action((id: bigint, options: { depth: number }, command: Command) =>
      run(command, (context) => lineage(context, id, options.depth)),
    );
};

async function lineage(context: Context, id: bigint, depth: number): Promise<void> {
  const { terminal } = context;
  const reply = await openClients(context).lineage.getLineage({ id, depth });
  if (context.json) terminal.json(toPlain(GetLineageResponseSchema, reply));
  else terminal.result(renderLineage(terminal, reply));
}
