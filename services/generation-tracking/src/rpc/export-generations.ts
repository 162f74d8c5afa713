import type { HandlerContext } from "@connectrpc/connect";
import { ExportFormat, type ExportGenerationsRequest } from "@kindred/contracts/generation-tracking/v1";
import { KindredError } from "@kindred/errors";
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
  /** Each keeps a connection to the database for as long as its reader takes: others need some, too. */
  exportsAtOnce: number;
}

const RETRY_AFTER_MS = 5000;

export function exportGenerationsRpc({ lists, encoders, exportsAtOnce }: ExportDeps) {
  let running = 0;
  return async function* (request: ExportGenerationsRequest, { signal }: HandlerContext) {
    const checks = startChecks();
    const filter = readGenerationFilter(request.filter, "filter", checks);
    const format = FORMATS.get(request.format);
    if (!format) checks.add("format", `must be a known ExportFormat, is ${request.format}`);
    checks.throwIfAny();
    if (running >= exportsAtOnce) {
      throw new KindredError(
        "resource-exhausted",
        `this replica sends ${running} exports already, as many as it may: try again later`,
        { retryAfterMs: RETRY_AFTER_MS },
      );
    }
    running += 1;
    let isOver = false;
    const over = (): void => {
      if (!isOver) running -= 1;
      isOver = true;
    };
    // A reader that takes nothing any more leaves this where it stands: it ends by the signal, as its transaction does.
    signal.addEventListener("abort", over, { once: true });
    try {
      const encoder = encoders[format ?? "jsonl"]();
      for await (const part of exportGenerations({ lists, encoder }, filter, signal))
        yield { data: new Uint8Array(part.data), rows: BigInt(part.rows), last: part.last };
    } finally {
      signal.removeEventListener("abort", over);
      over();
    }
  };
}
