import { createParquetStream, type ParquetColumn, type ParquetType } from "@kindred/parquet";
import { EXPORT_COLUMNS, type ColumnType, type ExportColumn } from "../../domain/export/columns.ts";
import type { ExportEncoder } from "../../domain/export/encoder.ts";
import type { Generation } from "../../domain/generation.ts";

const TYPES: Readonly<Record<ColumnType, ParquetType>> = {
  int64: "int64",
  int32: "int32",
  double: "double",
  string: "string",
  timestamp: "timestamp",
  json: "json",
};

const COLUMNS = EXPORT_COLUMNS.map(({ name, type }): ParquetColumn => ({
  name,
  type: TYPES[type],
  nullable: name !== "prompt",
}));

/** A row group, and with it the memory of an export. */
const GROUP_BYTES = 8 * 2 ** 20;

/** Apache Parquet, zstd; times to the millisecond, nested values as JSON. */
export function parquetEncoder(): ExportEncoder {
  const ready: Uint8Array[] = [];
  const take = (): Uint8Array => Buffer.concat(ready.splice(0));
  const writer = createParquetStream(
    async (bytes) => {
      // They are written over by the next row group.
      ready.push(bytes.slice());
    },
    { columns: COLUMNS, rowGroupBytes: GROUP_BYTES, metadata: { "kindred.content": "generations" } },
  );
  return {
    append: async (generations) => {
      const columns = EXPORT_COLUMNS.map((column) => [
        column.name,
        generations.map((generation) => valueOf(column, generation)),
      ]);
      await writer.append({
        rows: generations.length,
        columns: Object.fromEntries(columns) as Record<string, unknown[]>,
      });
      return take();
    },
    finish: async () => {
      await writer.finish();
      return take();
    },
  };
}

function valueOf(column: ExportColumn, generation: Generation): unknown {
  const value = column.valueOf(generation);
  if (column.type === "timestamp" && typeof value === "bigint")
    return new Date(Number((value - (((value % 1_000n) + 1_000n) % 1_000n)) / 1_000n));
  return value ?? null;
}
