import { Option, type Command } from "commander";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { exportGenerations, exportImages, type ExportImagesOptions } from "../transfer/export-records.ts";
import { FILTER_HELP } from "../vectors/filter-option.ts";
import { runExport, type ExportCommandOptions } from "../vectors/run-export.ts";
import type { AddCommand } from "./command.ts";
import { STATUSES } from "../generations/status.ts";
import { dateOption, integerOption, repeatable } from "./parse.ts";

interface GenerationOptions {
  status?: keyof typeof STATUSES;
  contains?: string;
  since?: Date;
  until?: Date;
  patience: number;
}

const FORMATS =
  "Writes by the extension of the file's name: .jsonl (JSON lines) or .parquet; - is JSON lines to standard output. The file appears\nwhen it is complete, and `kindred import` reads it. Vectors come back bit by bit the same.";

const IMAGES_HELP = `
${FORMATS}

It is no snapshot: images that are changed meanwhile may be seen or not.

Examples:
  kindred export images images.jsonl
  kindred export images coco.parquet --dataset coco-val2017
  kindred export images - --no-vector | jq -r .image_path`;

const COLLECTION_HELP = `
${FORMATS}
It says what the collection is like, too; \`kindred vectors import\` reads it as well.
${FILTER_HELP}

Examples:
  kindred export collection songs songs.parquet
  kindred export collection songs jazz.jsonl --where 'genre = "jazz"'`;

const GENERATIONS_HELP = `
${FORMATS}

Examples:
  kindred export generations generations.parquet
  kindred export generations failed.jsonl --status failed --since 2026-07-01`;

export const addExportCommands: AddCommand = (program, run) => {
  const group = program.command("export").description("write images, collections or generations to files");
  group
    .command("images <file>")
    .description("images with their embeddings")
    .option("--dataset <name>", "only those of this data set")
    .option("-t, --tag <tag>", "only those with this label; may be given several times", repeatable)
    .option("--no-vector", "without vectors: an import embeds their texts again")
    .option("--patience <seconds>", ...PATIENCE)
    .addHelpText("after", IMAGES_HELP)
    .action((file: string, options: ExportImagesOptions, command: Command) =>
      run(command, (context) => exportImages(context, file, options)),
    );
  group
    .command("collection <collection> <file>")
    .description("a collection: what it is like, and its items")
    .option("--where <filter>", "only items that pass this filter; see below")
    .option("--where-json <json>", "the same as JSON")
    .option("--no-vector", "without their vectors")
    .option("--patience <seconds>", ...PATIENCE)
    .addHelpText("after", COLLECTION_HELP)
    .action((collection: string, file: string, options: ExportCommandOptions, command: Command) =>
      run(command, async (context) => {
        if (collection === "images") {
          throw new Failure("The items of images belong to pictures, and would be lost without them.", {
            exitCode: EXIT.usage,
            remedy: `kindred export images ${file}`,
          });
        }
        await runExport(context, collection, file, { ...options, withCollection: true });
      }),
    );
  group
    .command("generations <file>")
    .description("generations, newest first")
    .addOption(new Option("--status <status>", "only those that ended so").choices(Object.keys(STATUSES)))
    .option("--contains <text>", "only those whose prompt contains this, in any case")
    .option(
      "--since <time>",
      "only those recorded since, e.g. 2026-07-01 or 2026-07-01T12:00:00Z",
      dateOption,
    )
    .option("--until <time>", "only those recorded before", dateOption)
    .option("--patience <seconds>", ...PATIENCE)
    .addHelpText("after", GENERATIONS_HELP)
    .action((file: string, { status, ...options }: GenerationOptions, command: Command) =>
      run(command, (context) =>
        exportGenerations(context, file, { ...options, ...(status && { status: STATUSES[status] }) }),
      ),
    );
};

const PATIENCE = ["give up when nothing came for so long", integerOption(0, 86_400), 120] as const;
