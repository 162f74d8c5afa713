import { timestampDate } from "@bufbuild/protobuf/wkt";
import { BadRowPolicy, ConflictPolicy, type Collection } from "@kindred/contracts/vector-store/v1";
import { openClients, translated, type Clients } from "../clients.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { interruption } from "../interruption.ts";
import { createSteps, silentSteps } from "../terminal/steps.ts";
import { importFile, showReport, type FileReport, type ImportFileDeps } from "../transfer/import-file.ts";
import type { Stored } from "./import-items.ts";
import { inItemBatches, toItemBatch, type RowBatch } from "./item-batches.ts";
import { openItemSource } from "./item-source.ts";
import { shapeOfCollection } from "./shape-of.ts";

export const CONFLICTS = {
  error: ConflictPolicy.ERROR,
  skip: ConflictPolicy.SKIP,
  replace: ConflictPolicy.REPLACE,
} as const;

export const BAD_ROWS = {
  reject: BadRowPolicy.REJECT_BATCH,
  skip: BadRowPolicy.SKIP_ROW,
} as const;

export interface ImportCommandOptions {
  onConflict: keyof typeof CONFLICTS;
  badRows: keyof typeof BAD_ROWS;
  batchSize: number;
  space?: string;
  keys?: string;
  patience: number;
}

/** Of one message, which may have 32 MiB. */
export const MAX_BATCH_BYTES = 16 * 2 ** 20;
/** How long one batch may take: its texts wait behind others in the embedding service's queue. */
export const BATCH_TIMEOUT_MS = 180_000;

/** Imports one file after the other. @throws Failure that says how far it got and how to go on. */
export async function runImport(
  context: Context,
  name: string,
  files: readonly string[],
  options: ImportCommandOptions,
): Promise<void> {
  if (options.keys !== undefined && files.length > 1)
    throw new Failure("--keys is for one file: import the files one by one.", { exitCode: EXIT.usage });
  const clients = openClients(context);
  const { collection } = await clients.collections.getCollection({ name });
  if (!collection) throw new Failure(`The store does not say what ${name} is like.`);
  const steps = context.json ? silentSteps : createSteps(context.terminal);
  using interrupted = interruption(context.env);
  const reports: FileReport[] = [];
  for (const file of files) {
    const deps = { context, clients, collection, options, steps, signal: interrupted.signal };
    const report = await importItemFile(deps, file);
    reports.push(report);
    if (!context.json) showReport(context, report);
  }
  if (context.json) context.terminal.json({ files: reports });
}

export interface ItemFileDeps extends ImportFileDeps {
  clients: Pick<Clients, "vectors">;
  collection: Collection;
  options: ImportCommandOptions;
}

/** Imports one file into a collection that is there. @throws Failure that says how far it got and how to go on. */
export async function importItemFile(deps: ItemFileDeps, file: string): Promise<FileReport> {
  const { collection, options, signal } = deps;
  return await importFile(deps, {
    file,
    keys: options.keys,
    identity: {
      collection: collection.name,
      collectionCreatedAt: collection.createdAt ? timestampDate(collection.createdAt).toISOString() : "",
      space: options.space ?? "",
    },
    open: (start) =>
      openItemSource(file, {
        shape: shapeOfCollection(collection),
        keys: options.keys,
        start,
        stdin: process.stdin,
        signal,
      }),
    batches: ({ rows }) => inItemBatches(rows, { items: options.batchSize, bytes: MAX_BATCH_BYTES }),
    send: (batch, callSignal) => upsert(deps, batch, callSignal),
    refusesExisting: options.onConflict === "error",
    skipsBadRows: options.badRows === "skip",
    againWith: "--on-conflict skip or replace",
    patienceSeconds: options.patience,
  });
}

async function upsert(
  { clients, collection, options }: ItemFileDeps,
  batch: RowBatch,
  signal: AbortSignal,
): Promise<Stored> {
  const reply = await translated(() =>
    clients.vectors.upsert(
      {
        collection: collection.name,
        items: toItemBatch(batch.items),
        spaceId: options.space ?? "",
        onConflict: CONFLICTS[options.onConflict],
        badRows: BAD_ROWS[options.badRows],
      },
      { signal, timeoutMs: BATCH_TIMEOUT_MS },
    ),
  );
  return {
    inserted: Number(reply.inserted),
    replaced: Number(reply.replaced),
    skipped: Number(reply.skipped),
    rejected: reply.rejected,
  };
}
