import type { ParquetColumn } from "@kindred/parquet";
import { KindredError } from "@kindred/errors";
import { readJson, writeWhole } from "@kindred/process";

/** Columns of the songs' files. Ids ascend strictly, within a file and from each file to the next. */
export const SONG_COLUMNS = [
  { name: "id", type: "int64", nullable: false },
  { name: "name", type: "string", nullable: true },
  { name: "artist", type: "string", nullable: true },
  { name: "lyrics", type: "string", nullable: false },
] as const satisfies readonly ParquetColumn[];

/** What was read: everything that a later run has to agree in. Never a password. */
export interface SourceIdentity {
  /** "host:port/database" */
  server: string;
  /** A table's name as it was given; null for a query. */
  table: string | null;
  query: string | null;
  /** Columns of the table or query. */
  columns: { id: string; name: string | null; artist: string | null; lyrics: string };
}

/** One Parquet file of songs. */
export interface SongsFile {
  /** Below the pipeline's folder. */
  name: string;
  rows: number;
  /** Songs of the same id range that have no lyrics, and are not in the file. */
  skipped: number;
  bytes: number;
  /** Of the file's bytes, hexadecimal. */
  sha256: string;
  /** Ids are decimal texts in JSON: they may be beyond 2^53. */
  firstId: string;
  lastId: string;
  /** ISO 8601: the snapshot of the source that it was read from. */
  readAt: string;
}

/** What the songs' files hold: `manifest.json`. */
export interface SongsManifest {
  version: 1;
  source: SourceIdentity;
  columns: readonly ParquetColumn[];
  /** Songs in the files. */
  rows: number;
  /** Songs without lyrics, which were left out. */
  skipped: number;
  /** null while there are no songs. */
  minId: string | null;
  maxId: string | null;
  /** The greatest id that was looked at, of songs without lyrics too: those beyond it are newer. null before the first one. */
  readTo: string | null;
  /** By ascending ids. */
  files: readonly SongsFile[];
  /** ISO 8601. */
  createdAt: string;
  updatedAt: string;
}

/**
 * What is there to embed.
 * @throws KindredError data-loss when the file is no manifest of this version
 */
export async function readManifest(path: string): Promise<SongsManifest | undefined> {
  const found = await readJson(path);
  if (found === undefined) return undefined;
  if (!isManifest(found)) {
    throw new KindredError(
      "data-loss",
      `${path} is no manifest of songs of version 1; remove it, and read the songs again: kindred songs cache --anew`,
    );
  }
  return found;
}

export async function writeManifest(path: string, manifest: SongsManifest): Promise<void> {
  await writeWhole(path, `${JSON.stringify(manifest, undefined, 2)}\n`, { durable: true });
}

function isManifest(value: unknown): value is SongsManifest {
  const { version, source, files, rows, skipped } = (value ?? {}) as Partial<SongsManifest>;
  return (
    version === 1 &&
    typeof source?.server === "string" &&
    typeof source.columns === "object" &&
    Number.isSafeInteger(rows) &&
    Number.isSafeInteger(skipped) &&
    Array.isArray(files) &&
    files.every(isFile)
  );
}

function isFile(value: unknown): value is SongsFile {
  const { name, rows, bytes, firstId, lastId } = (value ?? {}) as Partial<SongsFile>;
  return (
    typeof name === "string" &&
    // It is joined to a folder, and removed: it stays in there.
    /^[\w.-]+\.parquet$/.test(name) &&
    Number.isSafeInteger(rows) &&
    Number.isSafeInteger(bytes) &&
    isId(firstId) &&
    isId(lastId)
  );
}

function isId(value: unknown): value is string {
  return typeof value === "string" && /^-?\d{1,19}$/.test(value);
}
