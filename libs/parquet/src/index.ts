export { createParquetStream, type ParquetSink } from "./encoder.ts";
export { createParquetFile } from "./writer.ts";
export { openParquetFile } from "./reader.ts";
export type {
  ParquetBatch,
  ParquetColumn,
  ParquetReader,
  ParquetType,
  ParquetWriter,
  ParquetWriterOptions,
} from "./types.ts";
