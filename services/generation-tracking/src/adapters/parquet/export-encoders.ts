import { csv } from "../../domain/export/csv.ts";
import type { ExportEncoder, ExportFormat } from "../../domain/export/encoder.ts";
import { jsonLines } from "../../domain/export/json-lines.ts";
import { parquetEncoder } from "./parquet-encoder.ts";

/** How each format is written. */
export const exportEncoders: Readonly<Record<ExportFormat, () => ExportEncoder>> = {
  jsonl: jsonLines,
  csv,
  parquet: parquetEncoder,
};
