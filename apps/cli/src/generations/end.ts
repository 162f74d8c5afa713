import { resolve } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { openClients } from "../clients.ts";
import type { AddCommand } from "../commands/command.ts";
import { integerOption, jsonOption, MAX_INT32, numberOption, repeatable } from "../commands/parse.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { interruption } from "../interruption.ts";
import { idArgument, seedOption } from "./arguments.ts";
import { lookAtOutput } from "./look-at-output.ts";
import { showGeneration } from "./show.ts";

interface CostOptions {
  timeMs?: number;
  memoryMb?: number;
}

interface CompleteOptions extends CostOptions {
  output?: readonly string[];
  root?: string;
  model?: JsonObject;
  seed?: bigint;
}

const COMPLETE_HELP = `
Doing it again with the same result changes nothing, so a script may try again.

Examples:
  kindred generations complete 17 --output results/kite.png
  kindred generations complete 17 -o kite.png -o kite-small.png --root results      with their sizes and hashes`;

/** complete, fail and cancel. */
export const addEndCommands: AddCommand = (generations, run) => {
  addCostOptions(
    generations
      .command("complete")
      .argument("<id>", "as start shows it", idArgument)
      .description("end a running generation with a result")
      .option("-o, --output <path>", "where a result was written; may be given several times", repeatable)
      .option("--root <folder>", "reads sizes and SHA-256 of the outputs below this folder, for verify")
      .option("--model <json>", "members to add to the model's settings, a JSON object", jsonOption)
      .option("--seed <number>", "the seed, when the model chose it", seedOption),
  )
    .addHelpText("after", COMPLETE_HELP)
    .action((id: bigint, options: CompleteOptions, command: Command) =>
      run(command, (context) => complete(context, id, options)),
    );
  addCostOptions(
    generations
      .command("fail")
      .argument("<id>", "as start shows it", idArgument)
      .description("end a running generation without a result")
      .requiredOption("--error <text>", "why"),
  ).action((id: bigint, options: CostOptions & { error: string }, command: Command) =>
    run(command, async (context) => {
      const { generation } = await openClients(context).generations.failGeneration({
        id,
        errorMessage: options.error,
        ...costFields(options),
      });
      showGeneration(context, generation);
    }),
  );
  generations
    .command("cancel")
    .argument("<id>", "as list shows it", idArgument)
    .description("cancel a running generation; its maker learns of it when it next says how far it is")
    .action((id: bigint, _options, command: Command) =>
      run(command, async (context) => {
        const { generation } = await openClients(context).generations.cancelGeneration({ id });
        showGeneration(context, generation);
      }),
    );
};

function addCostOptions(command: Command): Command {
  return command
    .option(
      "--time-ms <ms>",
      "how long it took (default: the time since it was started)",
      integerOption(0, MAX_INT32),
    )
    .option("--memory-mb <mib>", "peak memory", numberOption(0, 1e9));
}

function costFields({ timeMs, memoryMb }: CostOptions) {
  return {
    ...(timeMs !== undefined && { generationTimeMs: timeMs }),
    ...(memoryMb !== undefined && { memoryUsageMb: memoryMb }),
  };
}

async function complete(context: Context, id: bigint, options: CompleteOptions): Promise<void> {
  const { output: paths = [], root, model, seed } = options;
  const outputs =
    root === undefined ? paths.map((path) => ({ path })) : await readOutputs(context, resolve(root), paths);
  const { generation } = await openClients(context).generations.completeGeneration({
    id,
    outputs,
    ...costFields(options),
    ...(model !== undefined && { modelConfig: model }),
    ...(seed !== undefined && { seed }),
  });
  showGeneration(context, generation);
}

/** @throws Failure when one of them cannot be read: nothing is recorded then. */
async function readOutputs(context: Context, root: string, paths: readonly string[]) {
  using interrupted = interruption(context.env);
  const outputs = [];
  for (const path of paths) {
    const unknown = { path, sha256: new Uint8Array() };
    const found = await lookAtOutput(root, unknown, interrupted.signal);
    if (found.state !== "kept") {
      const why = {
        changed: "it changes while it is read",
        missing: "there is no such file",
        unreadable: "it cannot be read",
        elsewhere: "it is not below that folder",
      }[found.state];
      throw new Failure(`${path} below ${root}: ${why}.`, {
        exitCode: EXIT.data,
        remedy: "Give the folder of the outputs with --root, or leave it out to record the paths alone.",
      });
    }
    outputs.push({ path, sizeBytes: found.sizeBytes, sha256: found.sha256 });
  }
  return outputs;
}
