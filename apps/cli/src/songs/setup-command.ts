import { CollectionSchema } from "@kindred/contracts/vector-store/v1";
import { isKindredError } from "@kindred/errors";
import {
  KEY_TYPES,
  Progress,
  readManifest,
  setupSongs,
  SONGS_COLLECTION,
  SONGS_INDEX,
  SONGS_TABLE,
  type SongsLayout,
  type SongsTarget,
} from "@kindred/songs";
import { Option, type Command } from "commander";
import { openClients, translated } from "../clients.ts";
import { renderCollection } from "../collections/render-collections.ts";
import type { Run } from "../commands/command.ts";
import { integerOption } from "../commands/parse.ts";
import type { Context } from "../context.ts";
import { namingModels } from "../embedding/model-errors.ts";
import { Failure } from "../failure.ts";
import { toPlain } from "../plain.ts";
import { resumeCommand } from "./resume-command.ts";
import { runSongsCommand } from "./run-songs-command.ts";
import { addFolderOption, layoutOf, type SongsOptions } from "./songs-options.ts";

interface SetupOptions extends SongsOptions {
  model?: string;
  collection: string;
  table: string;
  indexName: string;
  lists: number;
  keyType?: SongsTarget["keyType"];
}

const HELP = `
The table has the columns song_id INTEGER PRIMARY KEY, embedding vector(N) NOT NULL with N the model's dimensions, and created_at. The collection is to have an
IVFFlat index by cosine, which is built after the load: kindred index create songs. Run again it changes nothing; where there is another
collection or table of this name, it says what differs.

Examples:
  kindred songs setup
  kindred songs setup --model fireworks/qwen3-embedding-8b --lists 3525`;

export function addSongsSetupCommand(songs: Command, run: Run): void {
  addFolderOption(songs.command("setup").description("the table of the embeddings, as a collection"))
    .option("--model <name>", "name or alias of the model whose vectors it is for (kindred models list)")
    .option("--collection <name>", "name of the collection", SONGS_COLLECTION)
    .option("--table <name>", "name of the table, or schema.table", SONGS_TABLE)
    .option("--index-name <name>", "name of the index", SONGS_INDEX)
    .option(
      "--lists <count>",
      "lists of the index (0: rows / 1000 up to a million rows, their square root above)",
      integerOption(0, 32_768),
      0,
    )
    .addOption(
      new Option(
        "--key-type <type>",
        "of song_id (default: integer, and bigint where the songs that were read have greater ids)",
      ).choices(Object.keys(KEY_TYPES)),
    )
    .addHelpText("after", HELP)
    .action((options: SetupOptions, command: Command) =>
      run(command, (context) => setup(context, options, resumeCommand(command))),
    );
}

async function setup(context: Context, options: SetupOptions, resume: string): Promise<void> {
  const { embedding, collections } = openClients(context);
  const info = await namingModels(() => translated(() => embedding.info({ model: options.model ?? "" })));
  const { space } = info;
  if (!space || space.dimensions === 0)
    throw new Failure("The embedding service does not say which space its vectors are of.");
  const { collection: name, table, indexName: index, lists } = options;
  const layout = layoutOf(context, options);
  const keyType = options.keyType ?? (await keyTypeOf(layout));
  const progress = new Progress({ command: "setup", phase: "setting up" });
  const { collection, created } = await runSongsCommand(
    context,
    { command: "setup", layout, progress, resume },
    async () => {
      const target = {
        collection: name,
        table,
        index,
        lists,
        spaceId: space.id,
        dimensions: space.dimensions,
        keyType,
      };
      const found = await translated(() => setupSongs(collections, target)).catch((error: unknown) => {
        throw namingOthers(error, name);
      });
      return { ...found, summary: `${name} ${found.created ? "is ready" : "was there already"}` };
    },
  );
  const { terminal, json } = context;
  if (json) terminal.json({ created, collection: toPlain(CollectionSchema, collection) });
  else terminal.result(renderCollection(terminal, collection));
}

const MAX_INTEGER = 2n ** 31n - 1n;

async function keyTypeOf(layout: SongsLayout): Promise<SongsTarget["keyType"]> {
  const manifest = await readManifest(layout.manifest);
  return BigInt(manifest?.maxId ?? 0) > MAX_INTEGER ? "bigint" : "integer";
}

function namingOthers(error: unknown, name: string): unknown {
  if (!isKindredError(error) || error.kind !== "failed-precondition") return error;
  return new Failure(`${error.message}.`, {
    remedy: `See it: kindred collections show ${name}   Make another: --collection NAME --table NAME`,
    cause: error,
  });
}
