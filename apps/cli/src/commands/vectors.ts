import { create, type JsonObject } from "@bufbuild/protobuf";
import {
  DeleteItemsResponseSchema,
  UpdateMetadataResponseSchema,
  UpsertResponseSchema,
  type Item,
} from "@kindred/contracts/vector-store/v1";
import { Option, type Command } from "commander";
import { openClients } from "../clients.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { toPlain } from "../plain.ts";
import { confirmHere } from "../terminal/confirm.ts";
import { plural } from "../terminal/format.ts";
import { FILTER_HELP, filterOf, type FilterOptions } from "../vectors/filter-option.ts";
import { readVectorFile, vectorOption } from "../vectors/given-vector.ts";
import { toItemBatch } from "../vectors/item-batches.ts";
import { printFilter } from "../vectors/print-filter.ts";
import { plainItem, renderItems } from "../vectors/render-items.ts";
import { runExport, type ExportCommandOptions } from "../vectors/run-export.ts";
import { BAD_ROWS, CONFLICTS, runImport, type ImportCommandOptions } from "../vectors/run-import.ts";
import { namesOf } from "../vectors/search-request.ts";
import { shapeOf } from "../vectors/shape-of.ts";
import type { PackedVector } from "../vectors/vector-text.ts";
import type { AddCommand, Run } from "./command.ts";
import { integerOption, jsonOption } from "./parse.ts";

/** The contract's limits of one call. */
const KEYS_AT_ONCE = 1_000;
const DELETED_AT_ONCE = 10_000;

interface UpsertOptions {
  key: string;
  text?: string;
  vector?: PackedVector;
  vectorFile?: string;
  metadata?: JsonObject;
  document?: string;
  space?: string;
  onConflict: keyof typeof CONFLICTS;
}

interface UpdateOptions {
  metadata?: JsonObject;
  merge?: boolean;
  document?: string;
}

interface ReadOptions {
  vector?: boolean;
  fields?: string;
}

interface ScrollOptions extends ReadOptions, FilterOptions {
  limit: number;
  pageToken?: string;
}

interface DeleteOptions extends FilterOptions {
  yes?: boolean;
}

const UPSERT_HELP = `
Examples:
  kindred vectors upsert songs --key 17 --text "A slow song about rain." --metadata '{"year": 1990}'
  kindred vectors upsert points --key a --vector 0.1,0.2,-0.3
  kindred vectors upsert codes --key a --vector 10110010`;

const DELETE_HELP = `
Keys that were named are deleted at once; what a filter finds, when somebody has agreed to it.
${FILTER_HELP}

Examples:
  kindred vectors delete songs 17 18
  kindred vectors delete songs --where 'exists(deleted) and year < 1990' --yes`;

const SCROLL_HELP = `${FILTER_HELP}

Examples:
  kindred vectors scroll songs --where 'genre = "jazz"' --limit 50
  kindred vectors scroll songs --json | jq -r .next_page_token`;

const IMPORT_HELP = `
A file of JSON lines (.jsonl; - for standard input) has one item a line:
  {"key": "17", "vector": [0.1, 0.2, -0.3], "metadata": {"year": 1990}, "document": "…"}
  {"key": "18", "text": "A slow song about rain.", "metadata": {"year": 1991}}
A text is embedded, and kept as document where there is none. Vectors of bits are texts such as "0110". A .npy file is a matrix of
float32; --keys names the file with its keys, one a line. A Parquet file (.parquet) has the columns key, vector (a list of numbers; of bits a text),
text, metadata (JSON) and document, of which key and one of vector and text have to be there.

Items are stored in batches, one after the other, each whole or not at all. How far it got is kept in FILE.kindred-checkpoint until all is stored:
after an error, or Ctrl+C, the same command goes on from there. When a service is restarted meanwhile, the import waits for it and goes on.

Examples:
  kindred vectors import songs songs.jsonl
  kindred vectors import songs songs.parquet --on-conflict skip
  kindred vectors import songs vectors.npy --keys keys.txt --on-conflict replace
  jq -c '{key: .id, text: .title}' songs.json | kindred vectors import songs - --bad-rows skip`;

const EXPORT_HELP = `
Writes by the extension of the file's name, as \`vectors import\` reads it: .jsonl (JSON lines), .parquet, or .npy (a matrix of float32) with the keys in
the file that --keys names. - is JSON lines to standard output. The file appears when it is complete, and has one snapshot of the collection.
${FILTER_HELP}

Examples:
  kindred vectors export songs songs.jsonl
  kindred vectors export songs jazz.npy --keys jazz-keys.txt --where 'genre = "jazz"'
  kindred vectors export songs - --no-vector | jq .metadata.year`;

export const addVectorCommands: AddCommand = (program, run) => {
  const vectors = program
    .command("vectors")
    .description("the items of a collection: keys, vectors, metadata, documents");
  addWritingCommands(vectors, run);
  addReadingCommands(vectors, run);
  addFileCommands(vectors, run);
};

function addWritingCommands(vectors: Command, run: Run): void {
  vectors
    .command("upsert <collection>")
    .description("add an item, or replace it")
    .requiredOption("--key <key>", "what the item is known by")
    .option("--text <text>", "text that is embedded, and kept as document where none is given")
    .option("--vector <numbers>", "its vector, e.g. 0.1,0.2,-0.3 (bits: 10110)", vectorOption)
    .option("--vector-file <path>", "the vector in this file: .npy with one row, or JSON")
    .option("--metadata <json>", "what else is known of it, a JSON object", jsonOption)
    .option("--document <text>", "text for hybrid searches")
    .option("--space <id>", "embedding space of the vector; refused when the collection's is another")
    .addOption(conflictOption("replace"))
    .addHelpText("after", UPSERT_HELP)
    .action((collection: string, options: UpsertOptions, command: Command) =>
      run(command, (context) => upsert(context, collection, options)),
    );
  vectors
    .command("update <collection> <key>")
    .description("change an item's metadata or document, and leave its vector")
    .option("--metadata <json>", "its new metadata, a JSON object", jsonOption)
    .option("--merge", "leave other members of the metadata as they are; null removes one")
    .option("--document <text>", "its new document")
    .action((collection: string, key: string, options: UpdateOptions, command: Command) =>
      run(command, (context) => update(context, collection, key, options)),
    );
  addFilterOptions(
    vectors.command("delete <collection> [keys...]").description("delete items by key, or by a filter"),
  )
    .option("-y, --yes", "without asking")
    .addHelpText("after", DELETE_HELP)
    .action((collection: string, keys: string[], options: DeleteOptions, command: Command) =>
      run(command, (context) => remove(context, collection, keys, options)),
    );
}

function addReadingCommands(vectors: Command, run: Run): void {
  addReadOptions(
    vectors
      .command("get <collection> <keys...>")
      .description("items by key; exit code 1 when one is not there"),
  ).action((collection: string, keys: string[], options: ReadOptions, command: Command) =>
    run(command, (context) => get(context, collection, keys, options)),
  );
  addReadOptions(
    addFilterOptions(vectors.command("scroll <collection>").description("list items by ascending key")),
  )
    .option("-n, --limit <count>", "how many", integerOption(1, 100_000), 20)
    .option("--page-token <token>", "go on where an earlier page ended")
    .addHelpText("after", SCROLL_HELP)
    .action((collection: string, options: ScrollOptions, command: Command) =>
      run(command, (context) => scroll(context, collection, options)),
    );
}

function addFileCommands(vectors: Command, run: Run): void {
  vectors
    .command("import <collection> <files...>")
    .description("add the items of files, of any size")
    .addOption(conflictOption("error"))
    .addOption(
      new Option("--bad-rows <policy>", "rows that cannot be stored: refuse their batch, or leave them out")
        .choices(Object.keys(BAD_ROWS))
        .default("reject"),
    )
    .option("--keys <path>", "keys of a .npy file, one a line")
    .option("--space <id>", "embedding space of the vectors; refused when the collection's is another")
    .option("--batch-size <rows>", "items that are stored together", integerOption(1, 10_000), 1_000)
    .option(
      "--patience <seconds>",
      "give up when nothing could be stored for so long",
      integerOption(0, 86_400),
      120,
    )
    .addHelpText("after", IMPORT_HELP)
    .action((collection: string, files: string[], options: ImportCommandOptions, command: Command) =>
      run(command, (context) => runImport(context, collection, files, options)),
    );
  addFilterOptions(vectors.command("export <collection> <file>").description("write items to a file"))
    .option("--no-vector", "without their vectors")
    .option("--keys <path>", "where the keys of a .npy file are written, one a line")
    .option("--patience <seconds>", "give up when nothing came for so long", integerOption(0, 86_400), 120)
    .addHelpText("after", EXPORT_HELP)
    .action((collection: string, file: string, options: ExportCommandOptions, command: Command) =>
      run(command, (context) => runExport(context, collection, file, options)),
    );
}

function addFilterOptions(command: Command): Command {
  return command
    .option("--where <filter>", "only items that pass this filter; see below")
    .option("--where-json <json>", "the same as JSON");
}

function addReadOptions(command: Command): Command {
  return command
    .option("--vector", "their vectors, too")
    .option("--fields <names>", "only these members of the metadata, with commas between them");
}

function conflictOption(policy: keyof typeof CONFLICTS): Option {
  return new Option("--on-conflict <policy>", "what to do with a key that is there already")
    .choices(Object.keys(CONFLICTS))
    .default(policy);
}

async function upsert(context: Context, collection: string, options: UpsertOptions): Promise<void> {
  const { key, text, vectorFile, metadata, document, space, onConflict } = options;
  if ([text, options.vector, vectorFile].filter((given) => given !== undefined).length !== 1) {
    throw new Failure("Give the item a --text, a --vector or a --vector-file: one of them.", {
      exitCode: EXIT.usage,
    });
  }
  const vector = vectorFile === undefined ? options.vector : await readVectorFile(vectorFile);
  const reply = await openClients(context).vectors.upsert({
    collection,
    items: toItemBatch([{ key, vector: vector?.data, text, metadata, document }]),
    spaceId: space ?? "",
    onConflict: CONFLICTS[onConflict],
  });
  if (context.json) context.terminal.json(toPlain(UpsertResponseSchema, reply));
  else {
    const did =
      reply.inserted > 0n
        ? "inserted"
        : reply.replaced > 0n
          ? "replaced"
          : "left as it was: the key is there";
    context.terminal.result(` ${did}`);
  }
}

async function update(
  context: Context,
  collection: string,
  key: string,
  options: UpdateOptions,
): Promise<void> {
  const { metadata, merge = false, document } = options;
  if (metadata === undefined && document === undefined)
    throw new Failure("Say what should change, with --metadata or --document.", { exitCode: EXIT.usage });
  if (merge && metadata === undefined)
    throw new Failure("--merge has a meaning together with --metadata only.", { exitCode: EXIT.usage });
  const reply = await openClients(context).vectors.updateMetadata({
    collection,
    keys: [key],
    merge,
    ...(metadata && { metadata: [metadata] }),
    ...(document !== undefined && { documents: [document] }),
  });
  if (context.json) context.terminal.json(toPlain(UpdateMetadataResponseSchema, reply));
  else context.terminal.result(" updated");
}

async function remove(
  context: Context,
  collection: string,
  keys: readonly string[],
  options: DeleteOptions,
): Promise<void> {
  const filter = filterOf(options);
  if (keys.length > 0 === (filter !== undefined)) {
    throw new Failure("Name the items to delete by their keys or by --where: one of the two.", {
      exitCode: EXIT.usage,
      remedy: `All of them: kindred vectors delete ${collection} --where 'all()'`,
    });
  }
  const { vectors } = openClients(context);
  let deleted = 0n;
  if (filter) {
    const question = `Delete the items of ${collection} for which ${printFilter(filter)}`;
    await confirmHere(question, context, options.yes ?? false);
    deleted = (await vectors.deleteItems({ collection, which: { case: "filter", value: filter } })).deleted;
  }
  for (const some of inParts(keys, DELETED_AT_ONCE)) {
    deleted += (await vectors.deleteItems({ collection, which: { case: "keys", value: { keys: some } } }))
      .deleted;
  }
  if (context.json)
    context.terminal.json(toPlain(DeleteItemsResponseSchema, create(DeleteItemsResponseSchema, { deleted })));
  else context.terminal.result(` ${plural(deleted, "item")} deleted`);
}

async function get(
  context: Context,
  collection: string,
  keys: readonly string[],
  options: ReadOptions,
): Promise<ExitCode> {
  const { terminal } = context;
  const clients = openClients(context);
  const shape = options.vector ? await shapeOf(clients, collection) : undefined;
  const items: Item[] = [];
  for (const some of inParts(keys, KEYS_AT_ONCE)) {
    const reply = await clients.vectors.getItems({
      collection,
      keys: some,
      projection: projectionOf(options),
    });
    items.push(...reply.items);
  }
  const found = new Set(items.map(({ key }) => key));
  const missing = keys.filter((key) => !found.has(key));
  if (context.json) terminal.json({ items: items.map((item) => plainItem(item, shape)), missing });
  else {
    if (items.length > 0) terminal.result(renderItems(terminal, items, shape));
    if (missing.length > 0) terminal.note(` not there: ${missing.join(", ")}`);
  }
  return missing.length === 0 ? EXIT.ok : EXIT.failure;
}

async function scroll(context: Context, collection: string, options: ScrollOptions): Promise<void> {
  const { terminal } = context;
  const filter = filterOf(options);
  const clients = openClients(context);
  const shape = options.vector ? await shapeOf(clients, collection) : undefined;
  const items: Item[] = [];
  let pageToken = options.pageToken ?? "";
  do {
    const page = await clients.vectors.scroll({
      collection,
      pageSize: Math.min(options.limit - items.length, KEYS_AT_ONCE),
      pageToken,
      projection: projectionOf(options),
      ...(filter && { filter }),
    });
    items.push(...page.items);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && items.length < options.limit);
  if (context.json) {
    terminal.json({ items: items.map((item) => plainItem(item, shape)), next_page_token: pageToken });
    return;
  }
  if (items.length === 0) terminal.result(` ${terminal.colors.dim("no item")}`);
  else terminal.result(renderItems(terminal, items, shape));
  if (pageToken !== "") terminal.note(` more of them: --page-token ${pageToken}`);
}

function projectionOf({ vector = false, fields }: ReadOptions) {
  return { vector, metadataFields: fields === undefined ? [] : namesOf(fields) };
}

function inParts<T>(values: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(values.length / size) }, (_, i) =>
    values.slice(i * size, (i + 1) * size),
  );
}
