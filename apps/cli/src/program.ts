import { Command } from "commander";
import { addAddCommand } from "./commands/add.ts";
import { addCollectionCommands } from "./commands/collections.ts";
import { addDatabaseCommands } from "./commands/db.ts";
import { addDemoCommand, addUpCommand } from "./commands/up.ts";
import { addEmbedCommand } from "./commands/embed.ts";
import { addFaissCommands } from "./commands/faiss.ts";
import { addGenerationCommands } from "./commands/generations.ts";
import { addHealthCommand } from "./commands/health.ts";
import { addExplainCommand } from "./commands/explain.ts";
import { addExportCommands } from "./commands/export.ts";
import { addImportCommands } from "./commands/import.ts";
import { addIndexCommands } from "./commands/indexes.ts";
import { addModelCacheCommands } from "./commands/models-cache.ts";
import { addMetricsCommands } from "./commands/metrics.ts";
import { addModelCommands } from "./commands/models.ts";
import { addOperationCommands } from "./commands/operations.ts";
import { addRecallCommands } from "./commands/recall.ts";
import { addSearchCommand } from "./commands/search.ts";
import { addSessionCommands } from "./commands/sessions.ts";
import { addSongsCommands } from "./commands/songs.ts";
import { addStatsCommand } from "./commands/stats.ts";
import { addVectorCommands } from "./commands/vectors.ts";
import type { AddCommand, Run } from "./commands/command.ts";
import type { Terminal } from "./terminal/terminal.ts";

export interface ProgramDeps {
  terminal: Terminal;
  run: Run;
}

const EXIT_CODES = `
Exit codes:
  0 done          1 failed             2 wrong command line or value
  65 bad file     69 not reachable     73 cannot write (disk full, folder closed)
  78 bad configuration                 130 stopped by Ctrl+C before it was done`;

const EXAMPLES = `
Examples:
  kindred up                                  run everything on this machine
  kindred search "a cat on a sofa" -k 5       find pictures by meaning
  kindred add cat.jpg --caption "My cat."     add a picture of yours
  kindred import coco captions_val2017.json   add 5,000 pictures with 25,014 captions
  kindred import dir ./photos                 add the pictures of a folder, with captions beside them
  kindred export images images.parquet        write them, with their vectors, to a file
  kindred collections create songs --space …  a collection of your own
  kindred vectors import songs songs.jsonl    fill it
  kindred search "rain" -c songs --where 'year >= 1990'
  kindred index create songs                  the vector index that fits it
  kindred recall measure songs                how many of the true nearest it finds
  kindred embed --file texts.txt --out v.npy  turn texts into vectors
  kindred stats --json | jq .total_images     for programs: JSON on standard output`;

export function createProgram({ terminal, run }: ProgramDeps): Command {
  const program = new Command("kindred")
    .description("Finds kindred things: pictures by meaning, and what was made from them.")
    .option("--json", "print JSON for programs; standard output has nothing else then")
    .option(
      "--url <url>",
      "Kindred's origin (KINDRED_URL; default: the one that runs here, else http://127.0.0.1:8080)",
    )
    .option("--timeout <duration>", "limit of each call, e.g. 500ms, 30s, 2m (default: 30s)")
    .option("--home <folder>", "data of the installation on this machine (KINDRED_HOME)")
    .version("0.1.0")
    .addHelpText("after", `${EXAMPLES}\n${EXIT_CODES}`)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => terminal.result(text.trimEnd()),
      writeErr: (text) => terminal.note(text.trimEnd()),
    })
    .showHelpAfterError("(add --help for usage)")
    .exitOverride();
  const commands: AddCommand[] = [
    addUpCommand,
    addDemoCommand,
    addSearchCommand,
    addExplainCommand,
    addAddCommand,
    addImportCommands,
    addExportCommands,
    addCollectionCommands,
    addVectorCommands,
    addSongsCommands,
    addEmbedCommand,
    addFaissCommands,
    addModelCommands,
    addStatsCommand,
    addGenerationCommands,
    addSessionCommands,
    addModelCacheCommands,
    addIndexCommands,
    addRecallCommands,
    addOperationCommands,
    addMetricsCommands,
    addHealthCommand,
    addDatabaseCommands,
  ];
  for (const add of commands) add(program, run);
  return program;
}
