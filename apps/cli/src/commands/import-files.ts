import { Option, type Command } from "commander";
import { importCollection, type ImportCollectionOptions } from "../transfer/import-collection.ts";
import { importFolder, type ImportFolderOptions } from "../transfer/import-folder.ts";
import {
  importGenerations,
  importImages,
  type ImportImagesOptions,
  type ImportRecordsOptions,
} from "../transfer/import-records.ts";
import { BAD_ROWS, CONFLICTS } from "../vectors/run-import.ts";
import { integerOption, repeatable } from "./parse.ts";
import type { Run } from "./command.ts";

const IMAGES_HELP = `
A file of JSON lines (.jsonl; - for standard input) has one image a line:
  {"image_path": "cats/1.jpg", "description": "A cat.", "tags": ["cat"], "width": 640, "height": 480,
   "embeddings": [{"key": "a", "vector": [0.1, …], "space_id": "…"}, {"key": "b", "text": "A cat on a sofa."}]}
Without "embeddings" the description is embedded; with an empty list nothing is. A Parquet file (.parquet) has one embedding a row, with its
image in the columns image_path, description, tags, width, height, file_size_bytes, format and source_dataset, and embedding_key, embedding_type,
model_type, model_name, space_id, embedding_metadata (JSON), text and vector. "id" and "created_at" are not looked at.

Images are known by image_path, embeddings by their keys: nothing is added twice. How far it got is kept in FILE.kindred-checkpoint until all is
stored: after an error, or Ctrl+C, the same command goes on from there.

Examples:
  kindred export images images.parquet
  kindred import images images.parquet --url http://another:8080
  jq -c '{image_path: .file, description: .title}' photos.json | kindred import images -`;

const COLLECTION_HELP = `
The file is one that \`kindred export collection\` wrote: it says what the collection is like. One that is there under this name is filled when its
dimensions, its type of numbers and its embedding space are those of the file. For other files: kindred vectors import.

Examples:
  kindred import collection songs.parquet
  kindred import collection songs.jsonl --name songs_copy`;

const GENERATIONS_HELP = `
A file of JSON lines (.jsonl; - for standard input) has one generation a line, as \`kindred export generations\` writes it; a Parquet file
(.parquet) has one a row. "created_at" is kept. A generation is recorded once under its "idempotency_key"; lines without one are known by their content,
so that two lines that are alike are one generation. Ids of retrieved examples are those of the Kindred that the file came from.

Examples:
  kindred import generations generations.jsonl
  kindred export generations - --url http://another:8080 | kindred import generations -`;

const DIR_HELP = `
image_path is PREFIX/<path below the folder>. Captions stand beside a picture: in cat.txt (every line is one), or in cat.json ({"caption": "…"},
{"captions": […]} or {"description": "…"}; with "tags", if wanted) beside cat.jpg, or in cat.jpg.txt and cat.jpg.json. The first one describes the
picture, each is an embedding. Width, height, format and size are read off the files. What is skipped is listed, with the reason.

With a Kindred that runs on this machine (kindred up), pictures are copied to where the dashboard finds them. Pictures and captions that
are stored already are not added again: after an error, or Ctrl+C, run the same command again.

Examples:
  kindred import dir ./photos --dry-run
  kindred import dir ./photos --dataset holidays --tag 2026`;

/** The subcommands of \`kindred import\` for what \`kindred export\` writes, and for folders of pictures. */
export function addImportFileCommands(group: Command, run: Run): void {
  addCommonOptions(
    group
      .command("images <files...>")
      .description("add images with their embeddings from files")
      .addOption(
        new Option("--on-conflict <policy>", "what to do with an image_path that is there already")
          .choices(["skip", "error"])
          .default("skip"),
      ),
    { batchSize: 200, most: 1_000, what: "images" },
  )
    .addHelpText("after", IMAGES_HELP)
    .action((files: string[], options: ImportImagesOptions, command: Command) =>
      run(command, (context) => importImages(context, files, options)),
    );
  addCommonOptions(
    group
      .command("collection <file>")
      .description("create a collection of a file, and add its items")
      .option("--name <name>", "its name, instead of the one that it had")
      .addOption(
        new Option("--on-conflict <policy>", "what to do with a key that is there already")
          .choices(Object.keys(CONFLICTS))
          .default("skip"),
      ),
    { batchSize: 1_000, most: 10_000, what: "items" },
  )
    .addHelpText("after", COLLECTION_HELP)
    .action((file: string, options: ImportCollectionOptions, command: Command) =>
      run(command, (context) => importCollection(context, file, options)),
    );
  addCommonOptions(group.command("generations <files...>").description("record generations of files"), {
    batchSize: 500,
    most: 10_000,
    what: "generations",
  })
    .addHelpText("after", GENERATIONS_HELP)
    .action((files: string[], options: ImportRecordsOptions, command: Command) =>
      run(command, (context) => importGenerations(context, files, options)),
    );
  addFolderCommand(group, run);
}

function addFolderCommand(group: Command, run: Run): void {
  group
    .command("dir <folder>")
    .description("add the pictures below a folder, with the captions beside them")
    .option("--prefix <path>", "what image_path begins with (default: the folder's name)")
    .option("--dataset <name>", "the data set that the pictures belong to")
    .option("-t, --tag <tag>", "a label of all of them; may be given several times", repeatable)
    .option("--no-copy", "leave the files where they are")
    .addOption(
      new Option("--uncaptioned <policy>", "pictures without captions: they cannot be found by text")
        .choices(["skip", "add"])
        .default("skip"),
    )
    .option("-n, --dry-run", "only say what would be imported, and what skipped")
    .option("--batch-size <pictures>", "pictures that are stored together", integerOption(1, 1_000), 64)
    .option("--patience <seconds>", ...PATIENCE)
    .addHelpText("after", DIR_HELP)
    .action((folder: string, options: ImportFolderOptions, command: Command) =>
      run(command, (context) => importFolder(context, folder, options)),
    );
}

const PATIENCE = ["give up when nothing could be stored for so long", integerOption(0, 86_400), 120] as const;

function addCommonOptions(
  command: Command,
  { batchSize, most, what }: { batchSize: number; most: number; what: string },
): Command {
  return command
    .addOption(
      new Option("--bad-rows <policy>", "rows that cannot be stored: refuse their batch, or leave them out")
        .choices(Object.keys(BAD_ROWS))
        .default("reject"),
    )
    .option("--batch-size <rows>", `${what} that are stored together`, integerOption(1, most), batchSize)
    .option("--patience <seconds>", ...PATIENCE);
}
