import type { CachedIds } from "@kindred/embedding-cache";
import { KindredError } from "@kindred/errors";
import { openParquetFile, type ParquetReader } from "@kindred/parquet";

/** Columns of a file of songs that embedding needs. */
export const ID_COLUMN = "id";
export const LYRICS_COLUMN = "lyrics";

/** Rows that belong together: `firstRow` and those behind it. */
export interface RowRange {
  firstRow: number;
  rows: number;
}

/** Rows of one file that have no vector yet; few others may lie between them. */
export interface PendingFile {
  path: string;
  ranges: RowRange[];
}

export interface PendingSongs {
  files: PendingFile[];
  /** Songs in all files. */
  songs: number;
  /** Songs without a vector. */
  pending: number;
}

/** One song as it is embedded. */
export interface Song {
  id: bigint;
  lyrics: string;
}

/** Reading on through so many rows that are done costs less than beginning anew behind them. */
const JOINED_ROWS = 4_096;
/** Rows between two looks at the signal. */
const BLOCK_ROWS = 4_096;

/**
 * Which rows of the files have no vector in the cache: behind the greatest id, and in the holes that a killed run left. Reads nothing but the
 * ids, and of a cache without any not even those.
 * @throws KindredError data-loss where a file is damaged, invalid-argument where it is no file of songs
 */
export async function findPending(
  paths: readonly string[],
  ids: CachedIds,
  signal?: AbortSignal,
): Promise<PendingSongs> {
  const found: PendingSongs = { files: [], songs: 0, pending: 0 };
  for (const path of paths) {
    await using reader = await openSongs(path);
    found.songs += reader.rows;
    const { ranges, pending } =
      ids.count === 0
        ? { ranges: [{ firstRow: 0, rows: reader.rows }], pending: reader.rows }
        : await pendingOf(reader, ids, signal);
    found.pending += pending;
    if (pending > 0) found.files.push({ path, ranges });
  }
  return found;
}

async function pendingOf(
  reader: ParquetReader,
  ids: CachedIds,
  signal: AbortSignal | undefined,
): Promise<{ ranges: RowRange[]; pending: number }> {
  const ranges: RowRange[] = [];
  let pending = 0;
  let row = 0;
  for await (const { rows, columns } of reader.batches({
    columns: [ID_COLUMN],
    ...(signal && { signal }),
  })) {
    const values = columns[ID_COLUMN] as ArrayLike<bigint>;
    for (let i = 0; i < rows; i++, row++) {
      if (i % BLOCK_ROWS === 0) signal?.throwIfAborted();
      if (ids.has(values[i] as bigint)) continue;
      pending += 1;
      const last = ranges.at(-1);
      if (last && row - (last.firstRow + last.rows) <= JOINED_ROWS) last.rows = row - last.firstRow + 1;
      else ranges.push({ firstRow: row, rows: 1 });
    }
  }
  return { ranges, pending };
}

/**
 * The songs of these rows that have no vector, in the order of the files. Memory is that of the columns of one row group.
 * @throws as findPending does
 */
export async function* readPending(
  files: readonly PendingFile[],
  ids: CachedIds,
  signal?: AbortSignal,
): AsyncGenerator<Song> {
  for (const { path, ranges } of files) {
    await using reader = await openSongs(path);
    for (const range of ranges) yield* readRange(reader, range, ids, signal);
  }
}

async function* readRange(
  reader: ParquetReader,
  { firstRow, rows }: RowRange,
  ids: CachedIds,
  signal: AbortSignal | undefined,
): AsyncGenerator<Song> {
  let left = rows;
  for await (const batch of reader.batches({
    columns: [ID_COLUMN, LYRICS_COLUMN],
    firstRow,
    ...(signal && { signal }),
  })) {
    const values = batch.columns[ID_COLUMN] as ArrayLike<bigint>;
    const lyrics = batch.columns[LYRICS_COLUMN] as ArrayLike<string | null>;
    for (let i = 0; i < batch.rows && left > 0; i++, left--) {
      const id = values[i] as bigint;
      if (!ids.has(id)) yield { id, lyrics: lyrics[i] ?? "" };
    }
    if (left === 0) return;
  }
}

async function openSongs(path: string): Promise<ParquetReader> {
  const reader = await openParquetFile(path);
  const wrong = [
    [ID_COLUMN, ["int64"]],
    [LYRICS_COLUMN, ["string"]],
  ].filter(([name, types]) => {
    const column = reader.columns.find((each) => each.name === name);
    return !column || !types?.includes(column.type);
  });
  if (wrong.length === 0) return reader;
  await reader[Symbol.asyncDispose]();
  const columns = wrong.map(([name, types]) => `${String(name)} of type ${String(types)}`).join(" and ");
  throw new KindredError("invalid-argument", `${path} is no file of songs: it has no column ${columns}`);
}
