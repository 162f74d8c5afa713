import type { HandlerContext } from "@connectrpc/connect";
import { ExportFormat, type ExportGenerationsRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import type { ExportEncoder, ExportFormat as Format } from "../domain/export/encoder.ts";
import { exportGenerations } from "../domain/export/export-generations.ts";
import type { GenerationLists } from "../domain/generation-lists.ts";
import { readGenerationFilter } from "./generation-filter.ts";

const FORMATS: ReadonlyMap<ExportFormat, Format> = new Map([
  [ExportFormat.UNSPECIFIED, "jsonl"],
  [ExportFormat.JSONL, "jsonl"],
  [ExportFormat.CSV, "csv"],
  [ExportFormat.PARQUET, "parquet"],
]);

export interface ExportDeps {
  lists: Pick<GenerationLists, "all">;
  /** How each format is written; an encoder is for one file. */
  encoders: Readonly<Record<Format, () => ExportEncoder>>;
}

export function exportGenerationsRpc({ lists, encoders }: ExportDeps) {
  return async function* (request: ExportGenerationsRequest, { signal }: HandlerContext) {
    const checks = startChecks();
    const filter = readGenerationFilter(request.filter, "filter", checks);
    const format = FORMATS.get(request.format);
    if (!format) checks.add("format", `must be a known ExportFormat, is ${request.format}`);
    checks.throwIfAny();
    const encoder = encoders[format ?? "jsonl"]();
    for await (const part of exportGenerations({ lists, encoder }, filter, signal))
      yield { data: new Uint8Array(part.data), rows: BigInt(part.rows), last: part.last };
  };
}
