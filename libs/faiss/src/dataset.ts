import { open, readdir, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { isKindredError, KindredError, messageOf } from "@kindred/errors";
import { readPickle } from "@kindred/pickle";
import type { FaissIndex } from "./index-file/faiss-index.ts";
import { openFaissIndex } from "./index-file/index-file.ts";
import { matchRecords } from "./metadata/match-records.ts";
import { readMetadata, type Fields, type Metadata } from "./metadata/metadata.ts";

export const INDEX_FILE = "faiss_index.bin";
export const METADATA_FILE = "metadata.pkl";

/** A folder that has, or should have, both files. */
export interface DatasetFolder {
  name: string;
  path: string;
  /** Files that it lacks. */
  missing: readonly string[];
  indexBytes: number;
  metadataBytes: number;
}

/** One vector with what is known of it. */
export interface DatasetRow {
  /** In the index, from 0. */
  position: number;
  /** Its id in the index; the position where that has none. */
  id: bigint;
  fields: Fields;
  vector: Float32Array;
}

/** An index with its metadata, which agree. */
export interface FaissDataset extends AsyncDisposable {
  readonly name: string;
  readonly path: string;
  readonly index: Omit<FaissIndex, typeof Symbol.asyncDispose>;
  readonly metadata: Metadata;
  /** How vectors and records belong together, in words. */
  readonly matching: string;
  /** All vectors with their records, in ascending position, some at a time. What `batches` of the index throws. */
  rows(options?: { rows?: number; signal?: AbortSignal }): AsyncGenerator<DatasetRow[]>;
}

/** Pickles are read as a whole: a larger one is refused. */
const MAX_METADATA_BYTES = 2 ** 30;

/**
 * The data sets below a folder, by name: the folders directly in it that have one of the two files. A folder that is one itself is
 * the only one.
 * @throws KindredError not-found, where there is no such folder
 */
export async function listFaissDatasets(folder: string): Promise<DatasetFolder[]> {
  const own = await datasetAt(folder);
  if (own) return [own];
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw unreadable(folder, error);
  });
  const found: DatasetFolder[] = [];
  for (const entry of entries.toSorted((one, other) => (one.name < other.name ? -1 : 1))) {
    if (!entry.isDirectory() && !entry.isSymbolicLink()) continue;
    const dataset = await datasetAt(join(folder, entry.name));
    if (dataset) found.push(dataset);
  }
  return found;
}

async function datasetAt(path: string): Promise<DatasetFolder | undefined> {
  const sizes = await Promise.all([INDEX_FILE, METADATA_FILE].map((name) => sizeOf(join(path, name))));
  const [indexBytes, metadataBytes] = sizes;
  if (indexBytes === undefined && metadataBytes === undefined) return undefined;
  const missing = [INDEX_FILE, METADATA_FILE].filter((_, i) => sizes[i] === undefined);
  return {
    name: basename(resolve(path)),
    path,
    missing,
    indexBytes: indexBytes ?? 0,
    metadataBytes: metadataBytes ?? 0,
  };
}

async function sizeOf(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ? found.size : undefined;
}

/**
 * Opens a data set: both files are read, and have to agree.
 * @throws KindredError not-found, data-loss, unimplemented, failed-precondition (a pickle that names what it must not), resource-exhausted; the
 *   message begins with the file
 */
export async function openFaissDataset(path: string): Promise<FaissDataset> {
  const metadataPath = join(path, METADATA_FILE);
  // The metadata come first: whether a pickle may be read at all is known before anything else is.
  const metadata = await readMetadataFile(metadataPath);
  await using stack = new AsyncDisposableStack();
  const index = stack.use(await openFaissIndex(join(path, INDEX_FILE)));
  if (metadata.vectors && metadata.vectors.dimensions !== index.dimensions) {
    throw new KindredError(
      "data-loss",
      `${path}: the index has vectors of ${index.dimensions} dimensions, and ${JSON.stringify(metadata.vectors.name)} in the metadata of ${metadata.vectors.dimensions}`,
    );
  }
  const match = await named(path, () =>
    matchRecords(metadata, { count: index.count, hasIds: index.hasIds, ids: () => idsOf(index) }),
  );
  const owned = stack.move();
  return {
    name: basename(resolve(path)),
    path,
    index,
    metadata,
    matching: match.how,
    rows: async function* (options = {}) {
      for await (const { first, ids, vectors } of index.batches(options)) {
        yield Array.from(ids, (id, i): DatasetRow => {
          const position = first + i;
          return {
            position,
            id,
            fields: metadata.record(match.recordOf(id, position)),
            vector: vectors.subarray(i * index.dimensions, (i + 1) * index.dimensions),
          };
        });
      }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function* idsOf(index: FaissIndex): AsyncGenerator<BigInt64Array> {
  for await (const { ids } of index.batches()) yield ids;
}

async function readMetadataFile(path: string): Promise<Metadata> {
  const bytes = await readWhole(path);
  return await named(path, () => readMetadata(readPickle(bytes)));
}

async function readWhole(path: string): Promise<Uint8Array> {
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    if (size > MAX_METADATA_BYTES) {
      throw new KindredError(
        "resource-exhausted",
        `${path} has ${size} bytes, and at most ${MAX_METADATA_BYTES} are read: split the data set`,
      );
    }
    return await file.readFile();
  } catch (error) {
    throw isKindredError(error) ? error : unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): KindredError {
  const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
  return new KindredError(
    missing ? "not-found" : "failed-precondition",
    missing ? `there is no ${path}` : `${path} cannot be read: ${messageOf(error)}`,
    { cause: error },
  );
}

/** Says of which file an error speaks. */
async function named<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isKindredError(error)) throw error;
    throw new KindredError(error.kind, `${path}: ${error.message}`, {
      cause: error,
      metadata: error.metadata,
    });
  }
}
