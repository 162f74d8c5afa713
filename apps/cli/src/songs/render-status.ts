import type { SeenRun, SongsManifest, SongsStatus } from "@kindred/songs";
import { formatAgo, formatBytes, formatCount, plural } from "../terminal/format.ts";
import { renderPairs, renderTable, type Pair } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { formatLeft, progressLine } from "./render-progress.ts";

/** A run that says that it goes on, but whose process is gone, was killed. */
export function stateOf({ state, isAlive }: Pick<SeenRun, "state" | "isAlive">): string {
  return state === "running" && !isAlive ? "killed" : state;
}

export function renderStatus(
  terminal: Pick<Terminal, "colors" | "width">,
  status: SongsStatus,
  now: Date,
): string {
  const { folder, manifest, next, embeddingBytes } = status;
  const pairs: Pair[] = [
    ["folder", folder],
    ["songs", manifest ? describeManifest(manifest, now) : next ? "not read completely yet" : "not read yet"],
    ...(next ? [["being read", describeManifest(next, now)] as const] : []),
    ...(embeddingBytes > 0 ? [["embeddings", formatBytes(embeddingBytes)] as const] : []),
  ];
  const runs = Object.values(status.runs);
  if (runs.length === 0) return renderPairs(terminal, pairs);
  const rows = runs.map((run) => {
    const { progress } = run;
    const state = stateOf(run);
    const line = run.message !== null && state !== "running" ? run.message : progressLine(progress);
    return [
      run.command,
      state === "running" ? `running, pid ${run.pid}` : (HINTS[state] ?? state),
      formatAgo(new Date(run.updatedAt), now),
      formatLeft(progress.elapsedMs),
      line,
    ];
  });
  const columns = [
    { title: "command" },
    { title: "state" },
    { title: "last word" },
    { title: "took" },
    { title: "progress", shrinks: true },
  ];
  return `${renderPairs(terminal, pairs)}\n\n${renderTable(terminal, columns, rows)}`;
}

const HINTS: Readonly<Record<string, string>> = {
  killed: "killed; run it again",
  interrupted: "interrupted; run it again",
  failed: "failed",
};

function describeManifest(manifest: SongsManifest, now: Date): string {
  const { rows, skipped, minId, maxId, files, source, updatedAt } = manifest;
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return [
    `${plural(rows, "song")} in ${plural(files.length, "file")}`,
    formatBytes(bytes),
    minId === null ? "" : `ids ${minId} to ${maxId}`,
    skipped > 0 ? `${formatCount(skipped)} without lyrics left out` : "",
    `from ${source.table ?? "a query"} of ${source.server}`,
    formatAgo(new Date(updatedAt), now),
  ]
    .filter((part) => part !== "")
    .join(", ");
}
