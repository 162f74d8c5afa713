import type { GenerationFilter } from "../generation-filter.ts";
import type { GenerationLists } from "../generation-lists.ts";
import type { ExportEncoder } from "./encoder.ts";

/** A part of a file. */
export interface ExportPart {
  data: Uint8Array;
  /** Generations that are in the file so far. */
  rows: number;
  last: boolean;
}

/** Bytes of a part, at most: less than what messages hold. */
const PART_BYTES = 2 ** 20;

/** All generations that match as a file, newest first, a part at a time; the last part may be without bytes. */
export async function* exportGenerations(
  deps: { lists: Pick<GenerationLists, "all">; encoder: ExportEncoder },
  filter: GenerationFilter,
  signal: AbortSignal,
): AsyncGenerator<ExportPart> {
  const { lists, encoder } = deps;
  let rows = 0;
  for await (const generations of lists.all(filter, signal)) {
    const bytes = await encoder.append(generations);
    rows += generations.length;
    for (const data of pieces(bytes)) yield { data, rows, last: false };
  }
  const end = pieces(await encoder.finish());
  for (const data of end.slice(0, -1)) yield { data, rows, last: false };
  yield { data: end.at(-1) ?? new Uint8Array(), rows, last: true };
}

function pieces(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.byteLength / PART_BYTES) }, (_, i) =>
    bytes.subarray(i * PART_BYTES, (i + 1) * PART_BYTES),
  );
}
