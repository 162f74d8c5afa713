import { GenerationSchema, type Generation } from "@kindred/contracts/generation-tracking/v1";
import type { Command } from "commander";
import { openClients } from "../clients.ts";
import type { AddCommand } from "../commands/command.ts";
import type { Context } from "../context.ts";
import { toPlain } from "../plain.ts";
import { idArgument } from "./arguments.ts";
import { renderGeneration } from "./render-generation.ts";

export const addShowCommand: AddCommand = (generations, run) => {
  generations
    .command("show")
    .argument("<id>", "as list shows it", idArgument)
    .description("everything that is known of one")
    .action((id: bigint, _options, command: Command) =>
      run(command, async (context) => {
        const { generation } = await openClients(context).generations.getGeneration({ id });
        showGeneration(context, generation);
      }),
    );
};

/** As the command's result. */
export function showGeneration({ json, terminal }: Context, generation: Generation | undefined): void {
  if (!generation) return;
  if (json) terminal.json(toPlain(GenerationSchema, generation));
  else terminal.result(renderGeneration(terminal, generation));
}
