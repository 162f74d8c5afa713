import { KindredError, invalidField, invalidFields, type FieldViolation } from "@kindred/errors";
import { ByteWriter, ParquetWriter as FileEncoder } from "hyparquet-writer";
import { compressors } from "./codecs.ts";
import { writeRowGroup } from "./row-group.ts";
import { schemaOf } from "./schema.ts";
import type { ParquetBatch, ParquetColumn, ParquetWriter, ParquetWriterOptions } from "./types.ts";
import { physicalValues } from "./values.ts";

const DEFAULT_GROUP_ROWS = 131_072;
const DEFAULT_GROUP_BYTES = 16 * 1024 * 1024;

/** Takes a file's next bytes; they are written over once it has settled. */
export type ParquetSink = (bytes: Uint8Array) => Promise<void>;

/**
 * Writes a Parquet file (zstd) to wherever `sink` takes its bytes, from the first to the last, a row group at a time. What is
 * appended is copied. Calls must not overlap. What `sink` throws is thrown on, and nothing more can be appended then.
 *
 * @throws KindredError invalid-argument where the options are wrong
 */
export function createParquetStream(sink: ParquetSink, options: ParquetWriterOptions): ParquetWriter {
  checkOptions(options);
  return new ParquetEncoder(sink, options, "the stream");
}

/** @throws KindredError invalid-argument that names what is wrong */
export function checkOptions({ columns, rowGroupRows, rowGroupBytes }: ParquetWriterOptions): void {
  const violations: FieldViolation[] = [];
  if (columns.length === 0) violations.push({ field: "columns", description: "must be one or more" });
  const names = new Set<string>();
  for (const { name } of columns) {
    if (name === "") violations.push({ field: "columns", description: "must have names" });
    if (names.has(name)) violations.push({ field: "columns", description: `must differ, has ${name} twice` });
    names.add(name);
  }
  for (const [field, value] of Object.entries({ rowGroupRows, rowGroupBytes })) {
    if (value !== undefined && (!Number.isSafeInteger(value) || value < 1))
      violations.push({ field, description: `must be a whole number from 1 on, is ${value}` });
  }
  if (violations.length > 0) throw invalidFields(violations);
}

/** Rows to bytes, a row group at a time. */
export class ParquetEncoder implements ParquetWriter {
  readonly #sink: ParquetSink;
  readonly #name: string;
  readonly #columns: readonly ParquetColumn[];
  readonly #groupRows: number;
  readonly #groupBytes: number;
  readonly #buffer = new ByteWriter(1024 * 1024);
  readonly #encoder: FileEncoder;
  /** Of the row group that is being filled, in the order of the columns. */
  #pending: unknown[][];
  #pendingRows = 0;
  #pendingBytes = 0;
  #rows = 0;
  #written = 0;
  #groups = 0;
  #state: "open" | "finished" | "broken" | "closed" = "open";

  /** @param name of what is written, for messages */
  constructor(sink: ParquetSink, options: ParquetWriterOptions, name: string) {
    this.#sink = sink;
    this.#name = name;
    this.#columns = options.columns.map((column) => ({ ...column }));
    this.#groupRows = options.rowGroupRows ?? DEFAULT_GROUP_ROWS;
    this.#groupBytes = options.rowGroupBytes ?? DEFAULT_GROUP_BYTES;
    this.#pending = this.#columns.map(() => []);
    const texts = Object.entries(options.metadata ?? {}).map(([key, value]) => ({ key, value }));
    this.#encoder = new FileEncoder({
      writer: this.#buffer,
      schema: schemaOf(this.#columns),
      codec: "ZSTD",
      compressors,
      createdBy: "kindred (hyparquet-writer)",
      ...(texts.length > 0 ? { kvMetadata: texts } : {}),
    });
  }

  get rows(): number {
    return this.#rows;
  }

  async append(batch: ParquetBatch): Promise<void> {
    this.#checkOpen();
    const sizes = new Float64Array(batch.rows);
    const converted = this.#columns.map((column) => {
      const values = Object.hasOwn(batch.columns, column.name) ? batch.columns[column.name] : undefined;
      if (values === undefined) throw invalidField(column.name, "is missing in the batch");
      if (values.length !== batch.rows)
        throw invalidField(column.name, `must have ${batch.rows} values, has ${values.length}`);
      return physicalValues(column, values, sizes, this.#rows);
    });
    for (const name of Object.keys(batch.columns)) {
      if (!this.#columns.some((column) => column.name === name))
        throw invalidField(name, "is no column of the file");
    }
    this.#rows += batch.rows;
    let from = 0;
    for (let row = 0; row < batch.rows; row++) {
      this.#pendingBytes += sizes[row] as number;
      this.#pendingRows++;
      if (this.#pendingRows < this.#groupRows && this.#pendingBytes < this.#groupBytes) continue;
      this.#keep(converted, from, row + 1);
      from = row + 1;
      await this.#writeGroup();
    }
    this.#keep(converted, from, batch.rows);
  }

  async finish(): Promise<{ rows: number; bytes: number; rowGroups: number }> {
    this.#checkOpen();
    // No list of the footer may be empty: hyparquet-writer gives such a list no type, at which readers in Rust stop.
    if (this.#pendingRows > 0 || this.#groups === 0) await this.#writeGroup();
    await this.#attempt(async () => {
      await this.#encoder.finish();
      await this.#drain();
    });
    this.#state = "finished";
    return { rows: this.#rows, bytes: this.#written, rowGroups: this.#groups };
  }

  /** Nothing more can be appended; what the sink has is an end of no file. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === "open") this.#state = "closed";
    this.#pending = [];
  }

  #checkOpen(): void {
    if (this.#state === "open") return;
    throw new KindredError("failed-precondition", `${this.#name} is ${this.#state}`);
  }

  #keep(converted: readonly unknown[][], from: number, to: number): void {
    if (from === to) return;
    for (const [index, values] of converted.entries()) {
      const column = this.#pending[index] as unknown[];
      for (let row = from; row < to; row++) column.push(values[row]);
    }
  }

  async #writeGroup(): Promise<void> {
    await this.#attempt(async () => {
      writeRowGroup(this.#encoder, this.#columns, this.#pending);
      this.#pending = this.#columns.map(() => []);
      this.#pendingRows = 0;
      this.#pendingBytes = 0;
      this.#groups++;
      await this.#drain();
    });
  }

  async #drain(): Promise<void> {
    const bytes = this.#buffer.getBytes();
    await this.#sink(bytes);
    this.#written += bytes.byteLength;
    this.#buffer.index = 0;
  }

  /** After a failure nothing more can be appended: what has reached the sink is no longer known. */
  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#state = "broken";
      throw error;
    }
  }
}
