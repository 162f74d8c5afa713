import { randomUUID } from "node:crypto";
import { GenerationSchema } from "@kindred/contracts/generation-tracking/v1";
import type { Command } from "commander";
import { openClients } from "../clients.ts";
import type { AddCommand } from "../commands/command.ts";
import { durationOption } from "../commands/parse.ts";
import type { Context } from "../context.ts";
import { toPlain } from "../plain.ts";
import { renderGeneration } from "./render-generation.ts";
import { addFromSearchOptions, retrieve, type FromSearchOptions } from "./retrieve.ts";
import { addSettingOptions, settingFields, type SettingOptions } from "./setting-options.ts";

interface StartOptions extends SettingOptions, FromSearchOptions {
  lease?: number;
  key?: string;
}

const LEASE_MS = 60_000;

const HELP = `
Whoever makes it says now and then that it is alive, and at last how it ended. A generation whose lease is over has failed.

Examples:
  id=$(kindred generations start --prompt "a red kite" --steps 30 --lease 2m --json | jq -r .id)
  kindred generations progress $id --done 7 --total 30
  kindred generations complete $id --output results/kite.png --root .`;

export const addStartCommand: AddCommand = (generations, run) => {
  addFromSearchOptions(
    addSettingOptions(
      generations.command("start").description("begin a generation, which runs until it ends"),
    ),
  )
    .option(
      "--lease <duration>",
      "how long it may be silent, 1s to 24h (default: 1m)",
      durationOption("1s", "24h"),
    )
    .option("--key <key>", "idempotency key: starting it again returns the one that was started")
    .addHelpText("after", HELP)
    .action((options: StartOptions, command: Command) => run(command, (context) => start(context, options)));
};

async function start(context: Context, options: StartOptions): Promise<void> {
  const { terminal } = context;
  const { fromSearch: query, k, threshold, lease = LEASE_MS } = options;
  const clients = openClients(context);
  const retrieved = query === undefined ? {} : await retrieve(clients, { query, k, threshold });
  const { generation, existing } = await clients.generations.startGeneration({
    generation: { ...settingFields(options), ...retrieved },
    idempotencyKey: options.key ?? randomUUID(),
    lease: { seconds: BigInt(Math.floor(lease / 1_000)), nanos: Math.round((lease % 1_000) * 1_000_000) },
  });
  if (!generation) return;
  if (context.json) terminal.json({ ...toPlain(GenerationSchema, generation), existing });
  else {
    terminal.result(renderGeneration(terminal, generation));
    if (existing) terminal.note(" it was started before under this key; nothing was started");
  }
}
