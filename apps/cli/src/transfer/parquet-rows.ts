import { isKindredError } from "@kindred/errors";
import { openParquetFile, type ParquetReader } from "@kindred/parquet";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { unreadable } from "../file-error.ts";

/** Values of a row by the names of their columns; null where one is missing. */
export type RowValues = Readonly<Record<string, unknown>>;

/** The columns of a file that can be read. */
export interface KnownColumns {
  /** What a row is, e.g. "an item". */
  what: string;
  required: readonly string[];
  optional: readonly string[];
  /** What to do with other columns. */
  remedy: string;
}

export interface ParquetRows extends AsyncDisposable {
  total: number;
  /** Of the columns that are known, those that the file has. */
  columns: ReadonlySet<string>;
  /** Texts of the file's footer. */
  metadata: Readonly<Record<string, string>>;
  /** From a row on, which is counted from 0. @throws Failure where the file is damaged */
  rows(first: number): AsyncGenerator<RowValues>;
}

export const PARQUET = ".parquet";

/** @throws Failure when it cannot be read, is no Parquet file, or has not these columns. */
export async function openParquetRows(
  path: string,
  known: KnownColumns,
  signal: AbortSignal,
): Promise<ParquetRows> {
  await using opening = new AsyncDisposableStack();
  const reader = await reading(path, async () => opening.use(await openParquetFile(path)));
  const names = reader.columns.map(({ name }) => name);
  const missing = known.required.filter((name) => !names.includes(name));
  const unknown = names.filter((name) => ![...known.required, ...known.optional].includes(name));
  if (missing.length > 0) {
    throw new Failure(
      `${path} has no column ${missing.join(", ")}; it has ${names.join(", ") || "none at all"}.`,
      {
        exitCode: EXIT.data,
        remedy: `The columns of ${known.what} are ${[...known.required, ...known.optional].join(", ")}.`,
      },
    );
  }
  if (unknown.length > 0) {
    throw new Failure(`${path} has columns that ${known.what} has not: ${unknown.join(", ")}.`, {
      exitCode: EXIT.data,
      remedy: known.remedy,
    });
  }
  const owned = opening.move();
  return {
    total: reader.rows,
    columns: new Set(names),
    metadata: reader.metadata,
    rows: (first) => rowsOf(reader, path, names, first, signal),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function* rowsOf(
  reader: ParquetReader,
  path: string,
  columns: readonly string[],
  firstRow: number,
  signal: AbortSignal,
): AsyncGenerator<RowValues> {
  const batches = reader.batches({ columns, firstRow, signal });
  try {
    for (;;) {
      const next = await reading(path, () => batches.next());
      if (next.done) return;
      const { rows, columns: values } = next.value;
      for (let i = 0; i < rows; i++)
        yield Object.fromEntries(columns.map((name) => [name, values[name]?.[i] ?? null]));
    }
  } finally {
    await batches.return(undefined);
  }
}

async function reading<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isKindredError(error)) {
      // Ctrl+C, and what the system says about the file.
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
      throw unreadable(path, error);
    }
    if (error.kind === "cancelled") throw error;
    throw new Failure(`${error.message.includes(path) ? "" : `${path}: `}${error.message}`, {
      exitCode: EXIT.data,
      cause: error,
    });
  }
}

/** About what a row takes in a message. */
export function bytesOfRow(row: RowValues): number {
  let bytes = 0;
  for (const value of Object.values(row)) {
    if (typeof value === "string") bytes += value.length;
    else if (isNumberList(value)) bytes += 4 * value.length;
    else if (typeof value === "object" && value !== null) bytes += 64;
    else bytes += 8;
  }
  return bytes;
}

export function isNumberList(value: unknown): value is ArrayLike<number> {
  if (ArrayBuffer.isView(value)) return !(value instanceof DataView || value instanceof BigInt64Array);
  return Array.isArray(value) && (value.length === 0 || typeof value[0] === "number");
}
