import { toJson } from "@bufbuild/protobuf";
import { ValueSchema, type Value } from "@bufbuild/protobuf/wkt";
import { DiffGenerationsResponseSchema } from "@kindred/contracts/generation-tracking/v1";
import type { Command } from "commander";
import { openClients } from "../clients.ts";
import type { AddCommand } from "../commands/command.ts";
import type { Context } from "../context.ts";
import { toPlain } from "../plain.ts";
import { plural } from "../terminal/format.ts";
import { renderTableOrBlocks } from "../terminal/table.ts";
import { idArgument } from "./arguments.ts";

export const addDiffCommand: AddCommand = (generations, run) => {
  generations
    .command("diff")
    .argument("<left>", "one generation", idArgument)
    .argument("<right>", "another one", idArgument)
    .description("how the settings of two generations differ")
    .addHelpText("after", "\nExample:\n  kindred generations diff 17 18")
    .action((left: bigint, right: bigint, _options: object, command: Command) =>
      run(command, (context) => diff(context, left, right)),
    );
};

async function diff(context: Context, leftId: bigint, rightId: bigint): Promise<void> {
  const { terminal } = context;
  const reply = await openClients(context).lineage.diffGenerations({ leftId, rightId });
  if (context.json) {
    terminal.json(toPlain(DiffGenerationsResponseSchema, reply));
    return;
  }
  const equal = terminal.colors.dim(` ${plural(reply.equal, "setting")} equal`);
  if (reply.differences.length === 0) terminal.result(` the same settings\n${equal}`);
  else {
    const table = renderTableOrBlocks(
      terminal,
      [{ title: "setting" }, { title: String(leftId) }, { title: String(rightId) }],
      reply.differences.map(({ path, left, right }) => [path, textOf(left), textOf(right)]),
    );
    terminal.result(`${table}\n${equal}`);
  }
}

/** A text as it is, anything else as JSON; nothing where there is none. */
function textOf(value: Value | undefined): string {
  if (!value) return "";
  const json = toJson(ValueSchema, value);
  return typeof json === "string" ? json : JSON.stringify(json);
}
