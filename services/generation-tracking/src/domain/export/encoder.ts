import type { Generation } from "../generation.ts";

export type ExportFormat = "jsonl" | "csv" | "parquet";

/** Turns generations into the bytes of one file, some at a time. Calls must not overlap. */
export interface ExportEncoder {
  /** What has become ready by these generations, which may be nothing. */
  append(generations: readonly Generation[]): Promise<Uint8Array>;
  /** The end of the file. */
  finish(): Promise<Uint8Array>;
}
