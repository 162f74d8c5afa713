import { resolve } from "node:path";
import { openClients, type Clients } from "../clients.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { exportFile } from "../transfer/export-file.ts";
import { exportFormat } from "./export-format.ts";
import { exportItems } from "./export-items.ts";
import { filterOf, type FilterOptions } from "./filter-option.ts";
import { shapeOfCollection } from "./shape-of.ts";

export interface ExportCommandOptions extends FilterOptions {
  /** false with --no-vector. */
  vector: boolean;
  keys?: string;
  patience: number;
  /** Whether the collection itself is written, too. */
  withCollection?: boolean;
}

/** Writes the items of a collection to a file, or to standard output. @throws Failure */
export async function runExport(
  context: Context,
  name: string,
  path: string,
  options: ExportCommandOptions,
): Promise<void> {
  const filter = filterOf(options);
  const clients = openClients(context);
  const { collection } = await clients.collections.getCollection({ name });
  const shape = shapeOfCollection(collection);
  const { keys, ...format } = exportFormat(path, shape, {
    vector: options.vector,
    keys: options.keys,
    collection: options.withCollection ? collection : undefined,
  });
  if (options.keys !== undefined && resolve(options.keys) === resolve(path))
    throw new Failure(`--keys ${options.keys} is the file of the vectors.`, { exitCode: EXIT.usage });
  await exportFile(context, {
    path,
    format,
    beside:
      keys && options.keys !== undefined
        ? { path: options.keys, format: keys, note: `, with its keys in ${options.keys}` }
        : undefined,
    dimensions: shape.dimensions,
    read: (deps) =>
      exportItems(
        { collection: name, projection: { vector: options.vector }, ...(filter && { filter }) },
        { client: clients.vectors, ...deps },
        deps,
      ),
    countOf: (items) => items.keys.length,
    total: filter ? undefined : await estimateRows(clients, name),
    noun: "item",
    waitsFor: "the store",
    resumedNote: "the store is back; going on behind the last key, with what has changed since",
    patienceSeconds: options.patience,
  });
}

/** What PostgreSQL thinks: good enough for a bar. */
async function estimateRows({ collections }: Clients, name: string): Promise<number> {
  const { rows } = await collections.getCollectionStatistics({ name });
  return Number(rows);
}
