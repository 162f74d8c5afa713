import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import { openClients } from "../clients.ts";
import type { AddCommand } from "../commands/command.ts";
import { repeatable } from "../commands/parse.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { confirmHere } from "../terminal/confirm.ts";
import { plural } from "../terminal/format.ts";
import { idArgument, idsArgument, ratingOption } from "./arguments.ts";
import { showGeneration } from "./show.ts";

interface LabelOptions {
  add?: readonly string[];
  remove?: readonly string[];
  set?: readonly string[];
  clear?: boolean;
}

const LABEL_HELP = `
Examples:
  kindred generations label 17 --add kites --add favourites
  kindred generations label 17 --remove draft
  kindred generations label 17 --set kites
  kindred generations label 17 --clear`;

/** Ids that one call takes. */
const DELETED_AT_A_TIME = 1_000;

/** rate, label and delete. */
export const addChangeCommands: AddCommand = (generations, run) => {
  generations
    .command("rate")
    .argument("<id>", "as list shows it", idArgument)
    .argument("<rating>", '1 to 5, or "none"', ratingArgument)
    .description("say how good one is")
    .action((id: bigint, rating: number | "none", _options, command: Command) =>
      run(command, async (context) => {
        const { generation } = await openClients(context).generations.updateGeneration({
          id,
          generation: rating === "none" ? {} : { rating },
          updateMask: { paths: ["rating"] },
        });
        showGeneration(context, generation);
      }),
    );
  generations
    .command("label")
    .argument("<id>", "as list shows it", idArgument)
    .description("change the labels of one")
    .option("--add <label>", "a label to add; may be given several times", repeatable)
    .option("--remove <label>", "a label to take away; may be given several times", repeatable)
    .option("--set <label>", "the labels to have in their place; may be given several times", repeatable)
    .option("--clear", "take all away")
    .addHelpText("after", LABEL_HELP)
    .action((id: bigint, options: LabelOptions, command: Command) =>
      run(command, (context) => label(context, id, options)),
    );
  generations
    .command("delete")
    .argument("<ids...>", "as list shows them", idsArgument)
    .description("delete generations with what is recorded of their examples and outputs; files stay")
    .option("-y, --yes", "do not ask")
    .action((ids: readonly bigint[], { yes = false }: { yes?: boolean }, command: Command) =>
      run(command, (context) => deleteThem(context, ids, yes)),
    );
};

function ratingArgument(raw: string): number | "none" {
  if (raw === "none") return raw;
  try {
    return ratingOption(raw);
  } catch {
    throw new InvalidArgumentError('It must be 1 to 5, or "none".');
  }
}

async function label(context: Context, id: bigint, { add, remove, set, clear }: LabelOptions): Promise<void> {
  const changes = add !== undefined || remove !== undefined;
  if (Number(changes) + Number(set !== undefined) + Number(clear === true) !== 1) {
    throw new Failure("Say what to do with the labels.", {
      exitCode: EXIT.usage,
      remedy: "Give --add or --remove, or else --set, or else --clear.",
    });
  }
  const { generations } = openClients(context);
  let labels = set ?? [];
  if (changes) {
    const { generation } = await generations.getGeneration({ id });
    const removed = new Set(remove);
    labels = [...(generation?.labels ?? []).filter((one) => !removed.has(one)), ...(add ?? [])];
  }
  const { generation } = await generations.updateGeneration({
    id,
    generation: { labels: [...labels] },
    updateMask: { paths: ["labels"] },
  });
  showGeneration(context, generation);
}

async function deleteThem(context: Context, ids: readonly bigint[], yes: boolean): Promise<void> {
  const { json, terminal } = context;
  const wanted = [...new Set(ids)];
  await confirmHere(`Delete ${plural(wanted.length, "generation")}`, context, yes);
  const { generations } = openClients(context);
  let deleted = 0n;
  for (let first = 0; first < wanted.length; first += DELETED_AT_A_TIME)
    deleted += (await generations.deleteGenerations({ ids: wanted.slice(first, first + DELETED_AT_A_TIME) }))
      .deleted;
  if (json) terminal.json({ deleted: Number(deleted), not_found: wanted.length - Number(deleted) });
  else terminal.result(` ${plural(deleted, "generation")} deleted of ${wanted.length}`);
}
