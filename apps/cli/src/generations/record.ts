import { randomUUID } from "node:crypto";
import { GenerationSchema } from "@kindred/contracts/generation-tracking/v1";
import { Option, type Command } from "commander";
import { openClients } from "../clients.ts";
import type { AddCommand } from "../commands/command.ts";
import { integerOption, MAX_INT32, numberOption, repeatable } from "../commands/parse.ts";
import type { Context } from "../context.ts";
import { toPlain } from "../plain.ts";
import { renderGeneration } from "./render-generation.ts";
import { addFromSearchOptions, retrieve, type FromSearchOptions } from "./retrieve.ts";
import { addSettingOptions, settingFields, type SettingOptions } from "./setting-options.ts";
import { END_STATUSES, type EndStatusName } from "./status.ts";

interface RecordOptions extends SettingOptions, FromSearchOptions {
  output?: readonly string[];
  timeMs?: number;
  memoryMb?: number;
  status: EndStatusName;
  error?: string;
  key?: string;
}

const EXAMPLES = `
Examples:
  kindred generations record --prompt "a red kite over a beach" --steps 30 --time-ms 2140
  kindred generations record --prompt "a kite" --from-search "kite" -k 3      with the examples that a search finds
  kindred generations record --prompt "a kite" --status failed --error "out of memory"
  kindred generations record --prompt "a green kite" --parent 17 --label kites --rating 4`;

export const addRecordCommand: AddCommand = (generations, run) => {
  addFromSearchOptions(
    addSettingOptions(generations.command("record").description("record one finished generation")),
  )
    .option("-o, --output <path>", "where a result was written; may be given several times", repeatable)
    .option("--time-ms <ms>", "how long it took", integerOption(0, MAX_INT32))
    .option("--memory-mb <mib>", "peak memory", numberOption(0, 1e9))
    .addOption(
      new Option("--status <status>", "how it ended").choices(Object.keys(END_STATUSES)).default("completed"),
    )
    .option("--error <text>", "why it failed")
    .option("--key <key>", "idempotency key: recording it again stores nothing new")
    .addHelpText("after", EXAMPLES)
    .action((options: RecordOptions, command: Command) =>
      run(command, (context) => record(context, options)),
    );
};

async function record(context: Context, options: RecordOptions): Promise<void> {
  const { terminal } = context;
  const clients = openClients(context);
  const { fromSearch: query, k, threshold } = options;
  const retrieved = query === undefined ? {} : await retrieve(clients, { query, k, threshold });
  const reply = await clients.generations.recordGeneration({
    idempotencyKey: options.key ?? randomUUID(),
    generation: {
      ...settingFields(options),
      ...retrieved,
      outputs: (options.output ?? []).map((path) => ({ path })),
      status: END_STATUSES[options.status],
      errorMessage: options.error ?? "",
      ...(options.timeMs !== undefined && { generationTimeMs: options.timeMs }),
      ...(options.memoryMb !== undefined && { memoryUsageMb: options.memoryMb }),
    },
  });
  if (!reply.generation) return;
  if (context.json) {
    terminal.json({ ...toPlain(GenerationSchema, reply.generation), existing: reply.existing });
  } else {
    terminal.result(renderGeneration(terminal, reply.generation));
    if (reply.existing) terminal.note(" it was recorded before under this key; nothing was stored");
  }
}
