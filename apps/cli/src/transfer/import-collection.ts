import { extname } from "node:path";
import {
  ElementType,
  type Collection,
  type CreateCollectionRequest,
} from "@kindred/contracts/vector-store/v1";
import { isKindredError, messageOf } from "@kindred/errors";
import { openClients, translated, type Clients } from "../clients.ts";
import type { Context } from "../context.ts";
import { openTextSource } from "../embedding/text-source.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { interruption } from "../interruption.ts";
import { createSteps, silentSteps } from "../terminal/steps.ts";
import { importItemFile, type ImportCommandOptions } from "../vectors/run-import.ts";
import { COLLECTION_KEY, isCollectionLine, readDefinition } from "./collection-header.ts";
import { showReport } from "./import-file.ts";
import { ITEM_COLUMNS } from "./item-parquet.ts";
import { openParquetRows, PARQUET } from "./parquet-rows.ts";
import { JSON_LINES } from "./record-source.ts";

export interface ImportCollectionOptions extends Omit<ImportCommandOptions, "keys" | "space"> {
  name?: string;
}

/** Creates the collection that a file is of, where there is none, and imports its items. @throws Failure */
export async function importCollection(
  context: Context,
  file: string,
  options: ImportCollectionOptions,
): Promise<void> {
  using interrupted = interruption(context.env);
  const { signal } = interrupted;
  const definition = await definitionIn(file, signal);
  if (options.name !== undefined) definition.name = options.name;
  const clients = openClients(context);
  const steps = context.json ? silentSteps : createSteps(context.terminal);
  const { collection, created } = await findOrCreate(clients, definition, file);
  steps.note(
    created ? `  created ${collection.name}` : `  ${collection.name} is there, and its policy stays as it is`,
  );
  const report = await importItemFile(
    {
      context,
      clients,
      collection,
      options: { ...options, space: definition.spaceId },
      steps,
      signal,
    },
    file,
  );
  if (context.json) context.terminal.json({ collection: collection.name, created, files: [report] });
  else showReport(context, report);
}

/** What a file says about its collection. @throws Failure when it says nothing */
async function definitionIn(file: string, signal: AbortSignal): Promise<CreateCollectionRequest> {
  const extension = extname(file).toLowerCase();
  if (extension !== PARQUET && !JSON_LINES.has(extension)) {
    throw new Failure(`${file}: its extension says what is in a file, and it is none of those known.`, {
      exitCode: EXIT.usage,
      remedy: "Give it one of .jsonl (JSON lines) or .parquet",
    });
  }
  const text = extension === PARQUET ? await footerOf(file, signal) : await firstLineOf(file, signal);
  if (text === undefined) {
    throw new Failure(`${file} does not say what its collection is like.`, {
      exitCode: EXIT.data,
      remedy: "Create the collection (kindred collections create) and use: kindred vectors import",
    });
  }
  try {
    return readDefinition(text);
  } catch (error) {
    throw new Failure(`${file} does not say rightly what its collection is like: ${messageOf(error)}.`, {
      exitCode: EXIT.data,
      cause: error,
    });
  }
}

async function footerOf(file: string, signal: AbortSignal): Promise<string | undefined> {
  await using rows = await openParquetRows(file, ITEM_COLUMNS, signal);
  return rows.metadata[COLLECTION_KEY];
}

async function firstLineOf(file: string, signal: AbortSignal): Promise<string | undefined> {
  await using source = await openTextSource(file, { stdin: process.stdin, signal });
  const first = await source.lines[Symbol.asyncIterator]().next();
  return !first.done && isCollectionLine(first.value.text) ? first.value.text : undefined;
}

async function findOrCreate(
  { collections }: Pick<Clients, "collections">,
  definition: CreateCollectionRequest,
  file: string,
): Promise<{ collection: Collection; created: boolean }> {
  const { name } = definition;
  const found = await translated(() => collections.getCollection({ name })).catch((error: unknown) => {
    if (isKindredError(error) && error.kind === "not-found") return undefined;
    throw error;
  });
  if (found?.collection) {
    const difference = differenceOf(found.collection, definition);
    if (difference === undefined) return { collection: found.collection, created: false };
    throw new Failure(`${name} is there and is another collection than that of ${file}: ${difference}.`, {
      remedy: "Import it under another name with --name",
    });
  }
  const { collection } = await collections.createCollection(definition);
  if (!collection) throw new Failure(`The store does not say what ${name} is like.`);
  return { collection, created: true };
}

/** Why vectors of the file cannot be those of the collection; undefined when they can. */
function differenceOf(
  there: Collection,
  { dimensions, elementType, spaceId }: CreateCollectionRequest,
): string | undefined {
  if (there.dimensions !== dimensions) return `it has ${there.dimensions} dimensions, not ${dimensions}`;
  if (there.elementType !== elementType)
    return `its numbers are stored as ${elementName(there.elementType)}, not as ${elementName(elementType)}`;
  if (there.spaceId !== "" && spaceId !== "" && there.spaceId !== spaceId)
    return `its embedding space is ${there.spaceId}, not ${spaceId}`;
  return undefined;
}

function elementName(type: ElementType): string {
  return (Object.entries(ElementType).find(([, value]) => value === type)?.[0] ?? "unknown").toLowerCase();
}
