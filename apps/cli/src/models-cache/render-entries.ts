import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { ModelCacheEntry } from "@kindred/contracts/generation-tracking/v1";
import { formatAgo, formatBytes, formatCount } from "../terminal/format.ts";
import { renderTable } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";

/** One row each; `last` is what is said about each of them in a column of its own. */
export function renderEntries(
  terminal: Terminal,
  entries: readonly ModelCacheEntry[],
  now: Date,
  last: { title: string; of: (entry: ModelCacheEntry) => string } = { title: "there", of: thereOf },
): string {
  return renderTable(
    terminal,
    [
      { title: "id", align: "right" },
      { title: "type" },
      { title: "model" },
      { title: "size", align: "right" },
      { title: "used", align: "right" },
      { title: "last used" },
      { title: last.title },
      { title: "path", shrinks: true },
    ],
    entries.map((entry) => [
      String(entry.id),
      entry.modelType,
      entry.modelName,
      entry.sizeMb === undefined ? "" : formatBytes(bytesOf(entry.sizeMb)),
      formatCount(entry.accessCount),
      entry.lastAccessed ? formatAgo(timestampDate(entry.lastAccessed), now) : "never",
      last.of(entry),
      entry.cachePath,
    ]),
  );
}

/** Of MiB. */
export function bytesOf(mib: number): number {
  return Math.round(mib * 2 ** 20);
}

function thereOf({ present }: ModelCacheEntry): string {
  if (present === undefined) return "";
  return present ? "yes" : "missing";
}
