import {
  CollectionSchema,
  DeleteCollectionResponseSchema,
  GetCollectionStatisticsResponseSchema,
  ListCollectionsResponseSchema,
  type Collection,
  type GetCollectionStatisticsResponse,
} from "@kindred/contracts/vector-store/v1";
import { isKindredError } from "@kindred/errors";
import { Option, type Command } from "commander";
import { openClients, translated, type Clients } from "../clients.ts";
import {
  addNewTableOptions,
  addPolicyOptions,
  addTextSearchOption,
  createRequest,
  ELEMENT_TYPES,
  registerRequest,
  updateRequest,
  type CreateOptions,
  type PolicyOptions,
  type RegisterOptions,
} from "../collections/collection-options.ts";
import { renderCollection, renderCollections, renderStatistics } from "../collections/render-collections.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { toPlain } from "../plain.ts";
import { confirmHere } from "../terminal/confirm.ts";
import { addWaitOptions, awaitOperation, type WaitOptions } from "../operations/follow-operation.ts";
import { namingOthers } from "../operations/naming-others.ts";
import { renderResult } from "../operations/render-operations.ts";
import { plural } from "../terminal/format.ts";
import type { AddCommand } from "./command.ts";
import { integerOption } from "./parse.ts";

const CREATE_HELP = `
Examples:
  kindred collections create songs --dimensions 384
  kindred collections create photos --dimensions 768 --type halfvec --metric inner-product --index hnsw --m 32
  kindred collections create notes --space local:sentence-transformers/all-MiniLM-L6-v2@53aa51172d14:384:mean:l2:256`;

const REGISTER_HELP = `
The table stays as it is: its types are checked, and nothing of it is altered. Its other columns are the metadata of its items. With
--create it is made where there is none; one that is there has to have the same key and vectors.

Examples:
  kindred collections register song_embeddings --key song_id --vector embedding
  kindred collections register song_embeddings --create --dimensions 2000 --key song_id --index ivfflat --index-name embeddings_ivfflat_idx
  kindred collections register docs --schema app --name documents --document body --text-search simple`;

const UPDATE_HELP = `
Examples:
  kindred collections update songs --recall 0.98
  kindred collections update songs --index ivfflat --lists 500`;

const REEMBED_HELP = `
Every text is embedded again into a table beside the one that searches use, which serves them until the new one is filled, indexed and
checked. It needs the text of every item, and room for a second copy of the vectors. Ctrl+C ends the watching only.

Examples:
  kindred collections reembed songs --model all-MiniLM-L6-v2
  kindred collections reembed songs --space local:sentence-transformers/all-MiniLM-L6-v2@53aa51172d14:384:mean:l2:256 --no-wait`;

interface ReembedOptions extends WaitOptions {
  model?: string;
  space?: string;
}

/** Calls for figures at the same time: each one takes a connection to the database for a moment. */
const ASKED_AT_ONCE = 4;

export const addCollectionCommands: AddCommand = (program, run) => {
  const collections = program
    .command("collections")
    .description("collections of vectors: their shape, size and policy");
  collections
    .command("list")
    .description("all collections with their rows and sizes")
    .action((_options, command: Command) => run(command, list));
  collections
    .command("show <name>")
    .description("one collection: its shape, policy, figures and indexes")
    .action((name: string, _options, command: Command) => run(command, (context) => show(context, name)));
  addTextSearchOption(
    addPolicyOptions(
      collections
        .command("create <name>")
        .description("create an empty collection")
        .option(
          "-d, --dimensions <count>",
          "length of every vector (default: as --space has)",
          integerOption(1, 64_000),
        )
        .addOption(
          new Option("--type <type>", "what the numbers are stored as (default: vector)").choices(
            Object.keys(ELEMENT_TYPES),
          ),
        )
        .option(
          "--hash-partitions <count>",
          "spread the vectors over so many tables, each with an index of its own, 2 to 256: for very large ones",
          integerOption(2, 256),
        ),
    ),
  )
    .addHelpText("after", CREATE_HELP)
    .action((name: string, options: CreateOptions, command: Command) =>
      run(command, (context) => createCollection(context, name, options)),
    );
  addTextSearchOption(
    addPolicyOptions(
      addNewTableOptions(
        collections
          .command("register <table>")
          .description("make a collection of a table, which is there already or is made")
          .option("--name <name>", "name of the collection (default: the table's)")
          .option("--schema <schema>", "schema of the table (default: as the search_path finds it)")
          .option(
            "--key <column>",
            "column that tells rows apart (default: the primary key; id with --create)",
          )
          .option(
            "--vector <column>",
            "column with the vectors (default: the only one of such a type; embedding with --create)",
          )
          .option("--document <column>", "column whose text hybrid searches look in"),
      ),
    ),
  )
    .addHelpText("after", REGISTER_HELP)
    .action((table: string, options: RegisterOptions, command: Command) =>
      run(command, (context) => register(context, table, options)),
    );
  addPolicyOptions(collections.command("update <name>").description("change a collection's policy"))
    .addHelpText("after", UPDATE_HELP)
    .action((name: string, options: PolicyOptions, command: Command) =>
      run(command, (context) => update(context, name, options)),
    );
  addWaitOptions(
    collections
      .command("reembed <name>")
      .description("move a collection into another embedding space; searches are answered all the while")
      .option("--model <model>", "into the space of this model (kindred models list)")
      .option("--space <id>", "into this space"),
  )
    .addHelpText("after", REEMBED_HELP)
    .action((name: string, options: ReembedOptions, command: Command) =>
      run(command, (context) => reembed(context, name, options)),
    );
  collections
    .command("delete <name>")
    .description("delete a collection with its vectors; a registered table stays")
    .option("-y, --yes", "without asking")
    .action((name: string, options: { yes?: boolean }, command: Command) =>
      run(command, (context) => remove(context, name, options.yes ?? false)),
    );
  collections
    .command("stats <name>")
    .description("count and measure a collection")
    .option("--exact", "count every row, which reads the whole table")
    .action((name: string, options: { exact?: boolean }, command: Command) =>
      run(command, (context) => stats(context, name, options.exact ?? false)),
    );
};

async function list(context: Context): Promise<void> {
  const { terminal } = context;
  const clients = openClients(context);
  const reply = await clients.collections.listCollections({});
  if (context.json) {
    terminal.json(toPlain(ListCollectionsResponseSchema, reply));
    return;
  }
  const figures: (GetCollectionStatisticsResponse | undefined)[] = [];
  for (let from = 0; from < reply.collections.length; from += ASKED_AT_ONCE) {
    const names = reply.collections.slice(from, from + ASKED_AT_ONCE);
    figures.push(...(await Promise.all(names.map(({ name }) => figuresIfThere(clients, name)))));
  }
  terminal.result(renderCollections(terminal, reply.collections, figures));
}

/** undefined for a collection that cannot be measured, e.g. because its table is gone: the others can be listed all the same. */
async function figuresIfThere(
  { collections }: Clients,
  name: string,
): Promise<GetCollectionStatisticsResponse | undefined> {
  try {
    return await translated(() => collections.getCollectionStatistics({ name }));
  } catch (error) {
    if (isKindredError(error) && MEASURES_NOTHING.has(error.kind)) return undefined;
    throw error;
  }
}

const MEASURES_NOTHING = new Set(["not-found", "failed-precondition"]);

async function show(context: Context, name: string): Promise<void> {
  const { terminal } = context;
  const { collections } = openClients(context);
  const { collection } = await collections.getCollection({ name });
  const statistics = await collections.getCollectionStatistics({ name });
  if (!collection) return;
  if (context.json) {
    terminal.json({
      ...toPlain(CollectionSchema, collection),
      statistics: toPlain(GetCollectionStatisticsResponseSchema, statistics),
    });
  } else terminal.result(renderCollection(terminal, collection, statistics));
}

async function createCollection(context: Context, name: string, options: CreateOptions): Promise<void> {
  const request = createRequest(name, options);
  const { collection } = await openClients(context).collections.createCollection(request);
  print(context, collection);
}

async function register(context: Context, table: string, options: RegisterOptions): Promise<void> {
  const request = registerRequest(table, options);
  const { collection } = await openClients(context).collections.registerCollection(request);
  print(context, collection);
}

async function update(context: Context, name: string, options: PolicyOptions): Promise<void> {
  const request = updateRequest(name, options);
  const { collection } = await openClients(context).collections.updateCollection(request);
  print(context, collection);
}

function print({ terminal, json }: Context, collection: Collection | undefined): void {
  if (!collection) return;
  if (json) terminal.json(toPlain(CollectionSchema, collection));
  else terminal.result(renderCollection(terminal, collection));
}

async function reembed(context: Context, name: string, options: ReembedOptions): Promise<void> {
  const { model = "", space = "", requestId = "" } = options;
  if ((model === "") === (space === "")) {
    throw new Failure("Name where to with --model or --space: one of them.", {
      exitCode: EXIT.usage,
      remedy: `e.g. kindred collections reembed ${name} --model all-MiniLM-L6-v2`,
    });
  }
  const { operation } = await namingOthers(name, () =>
    openClients(context).collections.startReembedding({
      collection: name,
      model,
      spaceId: space,
      requestId,
    }),
  );
  const done = await awaitOperation(context, operation, options);
  if (!done || context.json) return;
  const result = renderResult(context.terminal, done);
  if (result !== undefined) context.terminal.result(result);
}

async function remove(context: Context, name: string, yes: boolean): Promise<void> {
  const { terminal } = context;
  const { collections } = openClients(context);
  await confirmHere(`Delete the collection ${name} with all its vectors`, context, yes);
  const reply = await collections.deleteCollection({ name });
  if (context.json) terminal.json(toPlain(DeleteCollectionResponseSchema, reply));
  else terminal.result(` deleted ${name}, and ${plural(reply.vectorsDeleted, "vector")} with it`);
}

async function stats(context: Context, name: string, exact: boolean): Promise<void> {
  const { terminal } = context;
  const reply = await openClients(context).collections.getCollectionStatistics({ name, exact });
  if (context.json) terminal.json(toPlain(GetCollectionStatisticsResponseSchema, reply));
  else terminal.result(renderStatistics(terminal, reply));
}
