/** What a column holds. Values of "int64" are bigints, of "timestamp" Dates (milliseconds, UTC), of "float32s" lists of numbers. */
export type ParquetType =
  | "int32"
  | "int64"
  | "double"
  | "boolean"
  | "string"
  | "bytes"
  | "timestamp"
  | "json"
  | "strings"
  | "float32s";

export interface ParquetColumn {
  name: string;
  type: ParquetType;
  /** Whether values may be missing: null in batches. */
  nullable: boolean;
}

/** Rows, column by column: every list has `rows` values, null where one is missing. */
export interface ParquetBatch {
  rows: number;
  columns: Readonly<Record<string, ArrayLike<unknown>>>;
}

/** Writes one file, which appears under its name when it is complete. Memory is that of one row group. */
export interface ParquetWriter extends AsyncDisposable {
  readonly rows: number;
  /** @throws KindredError invalid-argument that names the column and the row where a value is not of the column's type */
  append(batch: ParquetBatch): Promise<void>;
  /** Writes what is left, syncs it, and gives the file its name. Disposing of a writer that has not finished removes what it wrote. */
  finish(): Promise<{ rows: number; bytes: number; rowGroups: number }>;
}

export interface ParquetWriterOptions {
  columns: readonly ParquetColumn[];
  /** Rows of a group, at most; a group also ends at `rowGroupBytes` of values. */
  rowGroupRows?: number;
  rowGroupBytes?: number;
  /** Texts kept in the file's footer. */
  metadata?: Readonly<Record<string, string>>;
}

/** A file that was opened for reading. Nothing of it but the footer is in memory. */
export interface ParquetReader extends AsyncDisposable {
  readonly rows: number;
  readonly columns: readonly ParquetColumn[];
  /** Columns of kinds that there is no type for, e.g. structs, which are not in `columns` and cannot be asked for. */
  readonly unreadable: readonly { name: string; why: string }[];
  /** Rows of each group, in order. */
  readonly rowGroups: readonly { firstRow: number; rows: number }[];
  readonly metadata: Readonly<Record<string, string>>;
  /**
   * Rows in their order, from `firstRow` on, some at a time; memory is that of the columns of one row group.
   * @throws KindredError data-loss where the file is damaged, invalid-argument where it has not these columns
   */
  batches(options?: {
    columns?: readonly string[];
    firstRow?: number;
    signal?: AbortSignal;
  }): AsyncGenerator<ParquetBatch>;
}
