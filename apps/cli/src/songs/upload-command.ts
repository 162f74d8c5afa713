import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import {
  ConflictPolicy,
  VectorService,
  WriteMethod,
  type Collection,
} from "@kindred/contracts/vector-store/v1";
import { openEmbeddingCacheReader, type EmbeddingCacheReader } from "@kindred/embedding-cache";
import { isKindredError } from "@kindred/errors";
import { openChannel } from "@kindred/rpc";
import {
  createdAtOf,
  findCollection,
  ingestSink,
  Progress,
  readCheckpoint,
  SONGS_COLLECTION,
  StageError,
  uploadSongs,
  upsertSink,
  writeCheckpoint,
  type SongsLayout,
  type UploadIdentity,
  type UploadTotals,
  type VectorSink,
} from "@kindred/songs";
import { Option, type Command } from "commander";
import { openClients, translated, type Clients } from "../clients.ts";
import type { Run } from "../commands/command.ts";
import { integerOption } from "../commands/parse.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { buildRequest } from "../indexes/index-options.ts";
import { awaitOperation } from "../operations/follow-operation.ts";
import { formatCount, plural } from "../terminal/format.ts";
import { resumeCommand } from "./resume-command.ts";
import { runSongsCommand, type SongsWork } from "./run-songs-command.ts";
import { addFolderOption, layoutOf, type SongsOptions } from "./songs-options.ts";
import { stageFailure } from "./stage-failure.ts";

const METHODS = { copy: WriteMethod.COPY, insert: WriteMethod.INSERT } as const;
const CONFLICTS = { replace: ConflictPolicy.REPLACE, skip: ConflictPolicy.SKIP } as const;

interface UploadOptions extends SongsOptions {
  collection: string;
  store?: string;
  method?: keyof typeof METHODS;
  onConflict: keyof typeof CONFLICTS;
  batchSize: number;
  anew?: boolean;
  index?: boolean;
  patience: number;
}

/** Vectors of one message, which may have 32 MiB. */
const MAX_BATCH_BYTES = 16 * 2 ** 20;
/** How long one batch may take over HTTP. */
const BATCH_TIMEOUT_MS = 180_000;
/** Counting twelve million rows reads them all. */
const COUNT_TIMEOUT_MS = 600_000;
const CHECKPOINT_MS = 1_000;

const HELP = `
Vectors are streamed to the vector store's gRPC port, which writes them by COPY: that of the Kindred that runs here, or --store. Where neither is known,
they go to the origin by calls of one batch each, which are slower, and whose rows the planner learns of by ANALYZE later.

How far it is stands in the folder, and the next run goes on there. Songs that are in the table already are replaced.

Examples:
  kindred songs upload --index
  kindred songs upload --store vector-store:50052 --method insert`;

export function addSongsUploadCommand(songs: Command, run: Run): void {
  addFolderOption(songs.command("upload").description("the embeddings into their table"))
    .option("--collection <name>", "where they go (kindred songs setup)", SONGS_COLLECTION)
    .option(
      "--store <host:port>",
      "gRPC port of the vector store (default: that of the Kindred that runs here)",
    )
    .addOption(
      new Option(
        "--method <how>",
        "COPY, or INSERTs of many rows (default: COPY where the server can)",
      ).choices(Object.keys(METHODS)),
    )
    .addOption(
      new Option("--on-conflict <what>", "songs that are in the table already")
        .choices(Object.keys(CONFLICTS))
        .default("replace"),
    )
    .option("--batch-size <rows>", "vectors of one transaction, at most", integerOption(1, 10_000), 5_000)
    .option("--anew", "from the beginning, whatever an earlier run has stored")
    .option("--index", "build the index then")
    .option(
      "--patience <seconds>",
      "give up when the store has been away for so long",
      integerOption(0, 86_400),
      300,
    )
    .addHelpText("after", HELP)
    .action((options: UploadOptions, command: Command) =>
      run(command, (context) => upload(context, options, resumeCommand(command))),
    );
}

async function upload(context: Context, options: UploadOptions, resume: string): Promise<void> {
  const clients = openClients(context);
  const layout = layoutOf(context, options);
  const collection = await translated(() => findCollection(clients.collections, options.collection));
  if (!collection) {
    throw new Failure(`There is no collection ${options.collection}.`, {
      remedy: "Make it, and its table: kindred songs setup",
    });
  }
  await using cleanup = new AsyncDisposableStack();
  const cache = cleanup.use(await openCache(context, layout));
  refuseOthers(cache, collection);
  const sink = sinkOf(context, clients, cache, options, cleanup);
  const progress = new Progress({ command: "upload", phase: "uploading", total: cache.ids.count });
  const deps = { context, clients, layout, collection, cache, sink, progress, options };
  const { totals, rows } = await runSongsCommand(
    context,
    { command: "upload", layout, progress, resume },
    (work) => uploadAll(deps, work),
  );
  report(deps, totals, rows);
  if (!options.index) return;
  const wait = { wait: true, patience: options.patience };
  const { operation } = await clients.indexes.startIndexBuild(buildRequest(options.collection, wait));
  await awaitOperation(context, operation, wait);
}

async function openCache(
  { url }: Context,
  { folder, embeddings }: SongsLayout,
): Promise<EmbeddingCacheReader> {
  try {
    return await openEmbeddingCacheReader(embeddings);
  } catch (error) {
    if (!isKindredError(error) || error.kind !== "not-found")
      throw stageFailure(new StageError("source", error), url);
    throw new Failure(`There are no embeddings in ${folder} yet.`, {
      exitCode: EXIT.data,
      remedy: "Make them first: kindred songs embed",
      cause: error,
    });
  }
}

interface UploadDeps {
  context: Context;
  clients: Clients;
  layout: SongsLayout;
  collection: Collection;
  cache: EmbeddingCacheReader;
  sink: VectorSink;
  progress: Progress;
  options: UploadOptions;
}

async function uploadAll(deps: UploadDeps, { signal, note }: SongsWork) {
  const { context, layout, collection, cache, sink, progress, options } = deps;
  const path = layout.uploadCheckpoint;
  const identity: UploadIdentity = {
    collection: collection.name,
    collectionCreatedAt: createdAtOf(collection),
    cacheId: cache.id,
  };
  const start = await startOf(deps, path, identity, note);
  progress.resumed({ done: start?.rows ?? 0 });
  try {
    const totals = await uploadSongs(
      {
        cache,
        sink,
        progress,
        checkpoint: (position, rows) =>
          writeCheckpoint(path, { identity, position, rows: (start?.rows ?? 0) + rows }),
        sleep: (ms, until) => sleep(ms, undefined, { signal: until }),
        now: () => performance.now(),
      },
      {
        ...(start && { after: start.position }),
        batchSize: Math.min(
          options.batchSize,
          Math.max(1, Math.floor(MAX_BATCH_BYTES / (4 * cache.shape.dimensions))),
        ),
        checkpointMs: CHECKPOINT_MS,
        patienceMs: 1_000 * options.patience,
        stop: signal,
      },
    );
    if (totals.stopped) signal.throwIfAborted();
    progress.phase("counting");
    const rows = await countRows(deps);
    if (rows < BigInt(cache.ids.count)) {
      throw new Failure(
        `The table has ${formatCount(rows)} rows, and ${plural(cache.ids.count, "vector")} were uploaded: somebody deletes them.`,
        { remedy: "Upload them all once more: kindred songs upload --anew" },
      );
    }
    return { totals, rows, summary: `${plural(totals.rows, "vector")}, the table has ${formatCount(rows)}` };
  } catch (error) {
    throw stageFailure(error, context.url);
  }
}

/** @throws Failure where the vectors are not those that the collection is for */
function refuseOthers({ shape }: EmbeddingCacheReader, { name, dimensions, spaceId }: Collection): void {
  const differences = [
    ...(spaceId === "" || spaceId === shape.spaceId
      ? []
      : [`the collection is of the embedding space ${spaceId}, and the vectors of ${shape.spaceId}`]),
    ...(dimensions === shape.dimensions
      ? []
      : [`it takes ${formatCount(dimensions)} dimensions, and they have ${formatCount(shape.dimensions)}`]),
  ];
  if (differences.length === 0) return;
  throw new Failure(`The vectors do not fit into ${name}: ${differences.join("; ")}.`, {
    remedy: "Another table for them: kindred songs setup --collection NAME --table NAME",
  });
}

function sinkOf(
  { local }: Context,
  { vectors }: Clients,
  { shape }: EmbeddingCacheReader,
  { collection, method, onConflict, store }: UploadOptions,
  cleanup: AsyncDisposableStack,
): VectorSink {
  const how = { collection, spaceId: shape.spaceId, onConflict: CONFLICTS[onConflict] };
  const grpc = store ?? local?.grpc["vector-store"];
  if (grpc === undefined && method !== undefined) {
    throw new Failure("--method needs the vector store's gRPC port.", {
      exitCode: EXIT.usage,
      remedy: "Name it with --store, e.g. --store 127.0.0.1:50052",
    });
  }
  if (grpc === undefined) return upsertSink(vectors, { ...how, timeoutMs: BATCH_TIMEOUT_MS });
  const channel = cleanup.use(openChannel({ address: grpc }));
  return ingestSink(createClient(VectorService, channel.transport), {
    ...how,
    writeMethod: method ? METHODS[method] : WriteMethod.UNSPECIFIED,
  });
}

async function startOf(
  deps: UploadDeps,
  path: string,
  identity: UploadIdentity,
  note: (text: string) => void,
) {
  if (deps.options.anew) return undefined;
  const found = await readCheckpoint(path, identity);
  if (found === undefined) return undefined;
  if (typeof found === "string") {
    note(`  ${path} is not used: ${found}. Starting at the beginning.`);
    return undefined;
  }
  const rows = await countRows(deps);
  if (rows < BigInt(found.rows)) {
    note(`  the table has ${plural(rows, "row")}, fewer than were uploaded. Starting at the beginning.`);
    return undefined;
  }
  note(`  going on behind ${plural(found.rows, "vector")} that are stored already`);
  return found;
}

async function countRows({ clients, options }: UploadDeps): Promise<bigint> {
  const { rows } = await translated(() =>
    clients.collections.getCollectionStatistics(
      { name: options.collection, exact: true },
      { timeoutMs: COUNT_TIMEOUT_MS },
    ),
  );
  return rows;
}

function report(
  { context, collection, sink, progress }: UploadDeps,
  totals: UploadTotals,
  rows: bigint,
): void {
  const { terminal, json } = context;
  const { stopped: _, ...counts } = totals;
  const next = `kindred index create ${collection.name}`;
  if (json) {
    terminal.json({
      ...counts,
      table_rows: Number(rows),
      analyzed: sink.analyzes,
      progress: progress.snapshot(),
    });
    return;
  }
  const { inserted, replaced, skipped } = totals;
  terminal.result(
    ` ${formatCount(inserted)} inserted, ${formatCount(replaced)} replaced, ${formatCount(skipped)} skipped; ${collection.name} has ${plural(rows, "row")}`,
  );
  if (!sink.analyzes)
    terminal.result(` ANALYZE ${collection.table?.table ?? ""} has to be run for the planner`);
  terminal.result(` next: ${next}`);
}
