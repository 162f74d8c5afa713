import { isKindredError } from "@kindred/errors";
import { createParquetFile, type ParquetBatch, type ParquetColumn } from "@kindred/parquet";
import type { VectorFile } from "../embedding/vector-file.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { unwritable } from "../file-error.ts";

/** How rows become columns. */
export interface ParquetFormat<Rows> {
  columns: readonly ParquetColumn[];
  metadata: Readonly<Record<string, string>>;
  batch: (rows: Rows) => ParquetBatch;
}

/** Numbers of vectors take several times as much while they are written or read: this keeps a command at some hundred MB. */
const ROW_GROUP_BYTES = 16 * 2 ** 20;

/** A Parquet file that appears under its name when it is complete. @throws Failure when it cannot be written; every method does. */
export async function openParquetSink<Rows>(
  path: string,
  { columns, metadata, batch }: ParquetFormat<Rows>,
): Promise<VectorFile<Rows>> {
  const writer = await writing(path, () =>
    createParquetFile(path, { columns, metadata, rowGroupBytes: ROW_GROUP_BYTES }),
  );
  return {
    write: (rows) => writing(path, () => writer.append(batch(rows))),
    complete: () => writing(path, async () => (await writer.finish()).bytes),
    [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
  };
}

async function writing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const cause = isKindredError(error) && error.cause !== undefined ? error.cause : error;
    if ((cause as NodeJS.ErrnoException).code !== undefined) throw unwritable(path, cause);
    if (!isKindredError(error)) throw error;
    throw new Failure(`${path} cannot be written: ${error.message}`, {
      exitCode: error.kind === "resource-exhausted" ? EXIT.cannotWrite : EXIT.data,
      cause: error,
    });
  }
}

/** Rows as columns. */
export function toColumns<Row>(
  rows: readonly Row[],
  values: Readonly<Record<string, (row: Row) => unknown>>,
): ParquetBatch {
  return {
    rows: rows.length,
    columns: Object.fromEntries(
      Object.entries(values).map(([name, valueOf]) => [name, rows.map((row) => valueOf(row) ?? null)]),
    ),
  };
}
