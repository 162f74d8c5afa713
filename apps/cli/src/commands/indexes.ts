import { EnsureIndexResponseSchema, ListIndexesResponseSchema } from "@kindred/contracts/vector-store/v1";
import type { Command } from "commander";
import { openClients } from "../clients.ts";
import { renderIndexes } from "../collections/render-collections.ts";
import type { Context } from "../context.ts";
import { toPlain } from "../plain.ts";
import type { AddCommand } from "./command.ts";
import { formatMs } from "../terminal/format.ts";
import { createSteps, silentSteps } from "../terminal/steps.ts";
import { integerOption } from "./parse.ts";

/** Building takes as long as it takes; --timeout is for calls that answer at once. */
const BUILD_TIMEOUT_MS = 24 * 3_600_000;

interface EnsureOptions {
  m: number;
  efConstruction: number;
}

export const addIndexCommands: AddCommand = (program, run) => {
  const index = program.command("index").description("vector indexes");
  index
    .command("ensure")
    .description("build the vector index if there is none, and wait until searches use it")
    .option("--m <count>", "links a row, 2 to 100 (0: the store chooses)", integerOption(0, 100), 0)
    .option(
      "--ef-construction <count>",
      "candidates while building, at least 2 m (0: the store chooses)",
      integerOption(0, 1_000),
      0,
    )
    .action((options: EnsureOptions, command: Command) =>
      run(command, (context) => ensure(context, options)),
    );
  index
    .command("list")
    .description("the vector indexes with their state and size")
    .action((_options, command: Command) => run(command, list));
};

async function ensure(context: Context, options: EnsureOptions): Promise<void> {
  const { terminal } = context;
  const { indexes } = openClients(context);
  const steps = context.json ? silentSteps : createSteps(terminal);
  const { reply } = await steps.run("index", async (step) => {
    step.progress("building; this takes seconds for thousands of rows, minutes for millions");
    const answer = await indexes.ensureIndex(options, { timeoutMs: BUILD_TIMEOUT_MS });
    const summary = answer.built ? `built in ${formatMs(Number(answer.buildTimeMs))}` : "was there already";
    return { reply: answer, summary };
  });
  if (context.json) terminal.json(toPlain(EnsureIndexResponseSchema, reply));
  else if (reply.index) terminal.result(renderIndexes(terminal, [reply.index]));
}

async function list(context: Context): Promise<void> {
  const { terminal } = context;
  const reply = await openClients(context).indexes.listIndexes({});
  if (context.json) terminal.json(toPlain(ListIndexesResponseSchema, reply));
  else if (reply.indexes.length === 0)
    terminal.result(" no vector index: searches compare every row (kindred index ensure)");
  else terminal.result(renderIndexes(terminal, reply.indexes));
}
