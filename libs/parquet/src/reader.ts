import { open, type FileHandle } from "node:fs/promises";
import { resolve } from "node:path";
import { KindredError, invalidField, isKindredError, messageOf } from "@kindred/errors";
import type { FileMetaData } from "hyparquet";
import { parquetMetadataAsync, parquetSchema } from "hyparquet";
import { readableCodecs } from "./codecs.ts";
import { readColumn, withConvertedTypes, type ReadableColumn, type UnreadableColumn } from "./columns.ts";
import { fileError } from "./file-errors.ts";
import { PageCursor } from "./page-cursor.ts";
import type { ParquetBatch, ParquetColumn, ParquetReader } from "./types.ts";
import { ValueQueue } from "./value-queue.ts";

const MAGIC = "PAR1";
const ENCRYPTED_MAGIC = "PARE";
/** Rows of a batch: at least some, so that callers need not collect slivers, and not so many that they fill memory. */
const MIN_BATCH_ROWS = 1024;
const MAX_BATCH_ROWS = 16_384;

/**
 * Opens a Parquet file for reading: snappy, zstd, gzip, brotli or plain; single values and lists of texts or floats.
 * Columns of other kinds are in `unreadable`.
 *
 * Values of files of others become those of the types of `ParquetColumn`: unsigned integers of 32 bits are "int64", floats
 * and decimals of up to 15 digits "double", days and finer times "timestamp" (rounded down to milliseconds, local times
 * taken as UTC), UUIDs and enumerations "string", lists of doubles "float32s" (rounded to 32 bits).
 *
 * @throws KindredError not-found, invalid-argument where it is no Parquet file, data-loss where it is damaged,
 *   unimplemented where it is encrypted
 */
export async function openParquetFile(path: string): Promise<ParquetReader> {
  const target = resolve(path);
  let file: FileHandle;
  try {
    file = await open(target, "r");
  } catch (error) {
    throw fileError(`cannot read ${target}`, error);
  }
  try {
    return new FileReader(target, file, await readFooter(target, file));
  } catch (error) {
    await file.close();
    throw readError(target, error);
  }
}

/** An error of the file system, a refusal, or what the decoder says of bytes that make no sense. */
function readError(path: string, error: unknown, where?: string): KindredError {
  const place = where === undefined ? path : `${where} of ${path}`;
  if (isKindredError(error)) {
    if (where === undefined) return error;
    return new KindredError(error.kind, `${place}: ${error.message}`, { cause: error });
  }
  if (Error.isError(error) && "syscall" in error) return fileError(`cannot read ${path}`, error);
  return new KindredError("data-loss", `${place} is damaged: ${messageOf(error)}`, { cause: error });
}

async function readFooter(path: string, file: FileHandle): Promise<FileMetaData> {
  const stats = await file.stat();
  if (!stats.isFile()) throw new KindredError("invalid-argument", `${path} is no file`);
  const slice = async (start: number, end = stats.size): Promise<ArrayBuffer> => {
    const bytes = new Uint8Array(end - start);
    let filled = 0;
    while (filled < bytes.byteLength) {
      const { bytesRead } = await file.read(bytes, filled, bytes.byteLength - filled, start + filled);
      if (bytesRead === 0) throw new RangeError("it ended while it was read");
      filled += bytesRead;
    }
    return bytes.buffer;
  };
  const magic = stats.size < 12 ? "" : Buffer.from(await slice(0, 4)).toString("latin1");
  if (magic === ENCRYPTED_MAGIC)
    throw new KindredError("unimplemented", `${path} is encrypted; write it without encryption`);
  if (magic !== MAGIC) throw new KindredError("invalid-argument", `${path} is no Parquet file`);
  const metadata = await parquetMetadataAsync(
    { byteLength: stats.size, slice },
    {
      parsers: { stringFromBytes: (bytes) => bytes && Buffer.from(bytes).toString("latin1") },
      geoparquet: false,
    },
  );
  metadata.schema = metadata.schema.map(withConvertedTypes);
  checkFooter(metadata, stats.size);
  return metadata;
}

function checkFooter({ row_groups: groups, num_rows: rows }: FileMetaData, size: number): void {
  let sum = 0n;
  for (const group of groups) {
    if (group.num_rows < 0n) throw new RangeError("a row group has fewer rows than none");
    sum += group.num_rows;
    for (const { meta_data: chunk, file_path } of group.columns) {
      if (file_path !== undefined) throw new RangeError(`a column is in another file, ${file_path}`);
      if (chunk === undefined) throw new RangeError("a column has no metadata");
      const first = chunk.dictionary_page_offset || chunk.data_page_offset;
      if (
        first < 4n ||
        chunk.total_compressed_size < 0n ||
        first + chunk.total_compressed_size > BigInt(size)
      )
        throw new RangeError(`column ${chunk.path_in_schema.join(".")} is outside of the file`);
    }
  }
  if (sum !== rows) throw new RangeError(`its row groups have ${sum} rows, it says ${rows}`);
  if (rows > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError(`it says that it has ${rows} rows`);
}

class FileReader implements ParquetReader {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #footer: FileMetaData;
  readonly #readable: readonly ReadableColumn[];
  readonly rows: number;
  readonly columns: readonly ParquetColumn[];
  readonly unreadable: readonly UnreadableColumn[];
  readonly rowGroups: readonly { firstRow: number; rows: number }[];
  readonly metadata: Readonly<Record<string, string>>;
  #closed = false;

  constructor(path: string, file: FileHandle, footer: FileMetaData) {
    this.#path = path;
    this.#file = file;
    this.#footer = footer;
    const root = parquetSchema(footer);
    const names = root.children.map(({ element }) => element.name);
    const all = root.children.map((tree, index) =>
      names.indexOf(tree.element.name) === index
        ? readColumn(tree, root)
        : { name: tree.element.name, why: "another column of that name" },
    );
    this.#readable = all.filter((column) => "type" in column);
    this.unreadable = all.filter((column) => "why" in column);
    this.columns = this.#readable.map(({ name, type, nullable }) => ({ name, type, nullable }));
    this.rows = Number(footer.num_rows);
    let firstRow = 0;
    this.rowGroups = footer.row_groups.map((group) => {
      const rows = Number(group.num_rows);
      firstRow += rows;
      return { firstRow: firstRow - rows, rows };
    });
    this.metadata = Object.fromEntries(
      (footer.key_value_metadata ?? []).map(({ key, value }) => [key, value ?? ""]),
    );
  }

  async *batches(
    options: { columns?: readonly string[]; firstRow?: number; signal?: AbortSignal } = {},
  ): AsyncGenerator<ParquetBatch> {
    const { firstRow = 0, signal } = options;
    const columns = this.#select(options.columns ?? this.columns.map((column) => column.name));
    if (!Number.isSafeInteger(firstRow) || firstRow < 0)
      throw invalidField("firstRow", `must be a whole number from 0 on, is ${firstRow}`);
    for (const [index, group] of this.rowGroups.entries()) {
      const skip = Math.max(0, firstRow - group.firstRow);
      if (skip >= group.rows) continue;
      yield* this.#groupBatches(index, columns, skip, signal);
    }
  }

  async *#groupBatches(
    index: number,
    columns: readonly ReadableColumn[],
    skip: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<ParquetBatch> {
    const rows = this.rowGroups[index]?.rows ?? 0;
    if (columns.length === 0) {
      yield { rows: rows - skip, columns: {} };
      return;
    }
    const queues = columns.map((column) => new ValueQueue(this.#cursor(index, column, rows), skip));
    for (let done = skip; done < rows;) {
      signal?.throwIfAborted();
      let count = Math.min(MAX_BATCH_ROWS, rows - done);
      for (const [at, queue] of queues.entries()) {
        await this.#damageOf(
          index,
          columns[at] as ReadableColumn,
          queue.fill(Math.min(MIN_BATCH_ROWS, rows - done)),
        );
        count = Math.min(count, queue.length);
      }
      yield {
        rows: count,
        columns: Object.fromEntries(
          queues.map((queue, at) => [(columns[at] as ReadableColumn).name, queue.take(count)]),
        ),
      };
      done += count;
    }
    for (const [at, queue] of queues.entries())
      await this.#damageOf(index, columns[at] as ReadableColumn, queue.end());
  }

  async #damageOf(group: number, { name }: ReadableColumn, work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      throw readError(this.#path, error, `column ${name} of row group ${group}`);
    }
  }

  #cursor(group: number, column: ReadableColumn, rows: number): PageCursor {
    const path = column.leaf.path.join(".");
    const chunk = this.#footer.row_groups[group]?.columns.find(
      ({ meta_data }) => meta_data?.path_in_schema.join(".") === path,
    )?.meta_data;
    const where = `column ${column.name} of row group ${group}`;
    if (chunk === undefined)
      throw new KindredError("data-loss", `${this.#path} is damaged: it has no ${where}`);
    if (!readableCodecs.includes(chunk.codec)) {
      throw new KindredError(
        "unimplemented",
        `${where} of ${this.#path} is compressed by ${chunk.codec}, which cannot be read; write it with one of ${readableCodecs.join(", ")}`,
      );
    }
    return new PageCursor(this.#file, column, chunk, rows);
  }

  #select(names: readonly string[]): ReadableColumn[] {
    if (this.#closed) throw new KindredError("failed-precondition", `${this.#path} is closed`);
    return names.map((name) => {
      const column = this.#readable.find((candidate) => candidate.name === name);
      if (column !== undefined) return column;
      const why = this.unreadable.find((candidate) => candidate.name === name)?.why;
      const has = this.columns.map((candidate) => candidate.name).join(", ");
      throw invalidField(
        "columns",
        why === undefined
          ? `must be of ${this.#path}, which has ${has}, is ${name}`
          : `must be readable; ${name} is ${why}`,
      );
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#file.close();
  }
}
