import type { BinaryType } from "./binary-types.ts";

// Rows in PostgreSQL's binary forms: as COPY … (FORMAT binary) has them, and as arrays, a column each.

/** A column of rows that are to be written. */
export interface RowColumn {
  name: string;
  type: Pick<BinaryType<never>, "name" | "oid">;
  /** Appends the field of one row: its length and its value, or the length -1. */
  append(row: number, sink: BinarySink): void;
}

/** Rows, column by column. */
export interface BinaryRows {
  count: number;
  columns: readonly RowColumn[];
}

/** @param valueOf the row's value; undefined for NULL */
export function rowColumn<V>(
  name: string,
  type: BinaryType<V>,
  valueOf: (row: number) => V | undefined,
): RowColumn {
  return {
    name,
    type,
    append(row, sink) {
      const value = valueOf(row);
      if (value === undefined) sink.int32(NULL_LENGTH);
      else sink.field(type, value);
    },
  };
}

const NULL_LENGTH = -1;
/** Large enough that what is done once a chunk costs nothing, and small enough that the server is never without work. */
const CHUNK_BYTES = 256 * 1024;

/** Takes values one after the other into chunks of memory. */
export class BinarySink {
  #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #length = 0;
  readonly #full: Buffer[] = [];

  int16(value: number): void {
    this.#length = this.#room(2).writeInt16BE(value, this.#length);
  }

  int32(value: number): void {
    this.#length = this.#room(4).writeInt32BE(value, this.#length);
  }

  bytes(value: Uint8Array): void {
    this.#room(value.byteLength).set(value, this.#length);
    this.#length += value.byteLength;
  }

  /** The length of the value and the value. */
  field<V>(type: BinaryType<V>, value: V): void {
    const size = type.size(value);
    const chunk = this.#room(4 + size);
    const start = chunk.writeInt32BE(size, this.#length);
    type.write(value, chunk, start);
    this.#length = start + size;
  }

  /** The chunks that are full; they are the caller's from now on. */
  takeFull(): Buffer[] {
    return this.#full.splice(0);
  }

  /** All that is left; the sink is of no more use. */
  end(): Buffer[] {
    return [...this.takeFull(), this.#chunk.subarray(0, this.#length)];
  }

  #room(bytes: number): Buffer {
    if (this.#length + bytes > this.#chunk.length) {
      this.#full.push(this.#chunk.subarray(0, this.#length));
      this.#chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, bytes));
      this.#length = 0;
    }
    return this.#chunk;
  }
}

/** Signature, flags and the length of a header extension: PostgreSQL's documentation of COPY, "Binary Format". */
const COPY_HEADER = Buffer.from("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", "latin1");
const COPY_TRAILER = -1;

/** The rows as COPY … FROM STDIN (FORMAT binary) reads them; chunks end anywhere. */
export function* copyChunks({ count, columns }: BinaryRows): Generator<Buffer> {
  const sink = new BinarySink();
  sink.bytes(COPY_HEADER);
  for (let row = 0; row < count; row++) {
    sink.int16(columns.length);
    for (const column of columns) column.append(row, sink);
    yield* sink.takeFull();
  }
  sink.int16(COPY_TRAILER);
  yield* sink.end();
}

/** A column of the rows as array_recv reads it: dimensions, whether there may be NULLs, the elements' type, length, lower bound. */
export function binaryArray(column: RowColumn, count: number, elementOid: number): Buffer {
  const sink = new BinarySink();
  sink.int32(count === 0 ? 0 : 1);
  sink.int32(1);
  // Oids are unsigned.
  sink.int32(elementOid | 0);
  if (count > 0) {
    sink.int32(count);
    sink.int32(1);
  }
  for (let row = 0; row < count; row++) column.append(row, sink);
  return Buffer.concat(sink.end());
}
