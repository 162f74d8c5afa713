import type { ModelCacheEntry } from "@kindred/contracts/generation-tracking/v1";
import type { Command } from "commander";
import { openClients } from "../clients.ts";
import type { AddCommand } from "../commands/command.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { formatCount, plural } from "../terminal/format.ts";
import { lookAtPath, type Finding } from "./look-at-path.ts";
import { renderEntries } from "./render-entries.ts";

/** Findings that are told in a call. */
const REPORT_FINDINGS = 1_000;

export const addVerifyCommand: AddCommand = (models, run) => {
  models
    .command("verify")
    .description("whether the models are where they should be; run it where they are")
    .option("--no-report", "look only, and do not tell the service what was found")
    .addHelpText(
      "after",
      `
Sizes of what is there are kept. Exit code 65 means that something is missing or cannot be read; entries of what is missing are removed by
kindred models-cache remove.

Examples:
  kindred models-cache verify
  kindred models-cache verify --json | jq '.models[] | select(.state == "missing") | .id'`,
    )
    .action((options: { report: boolean }, command: Command) =>
      run(command, (context) => verify(context, options)),
    );
};

async function verify(context: Context, { report }: { report: boolean }): Promise<ExitCode> {
  const { terminal } = context;
  const { modelCache } = openClients(context);
  const { entries } = await modelCache.listModelCache({});
  const looked: { entry: ModelCacheEntry; finding: Finding }[] = [];
  // One after the other: disks gain nothing from several walks, and there are few models.
  for (const entry of entries) looked.push({ entry, finding: await lookAtPath(entry.cachePath) });
  const known = looked.flatMap(({ entry: { id }, finding }) => {
    if (finding.state === "unreadable") return [];
    const present = finding.state === "present";
    return [{ id, present, ...(present && { sizeBytes: finding.sizeBytes }) }];
  });
  let reported = 0n;
  const told = report ? known : [];
  for (let from = 0; from < told.length; from += REPORT_FINDINGS) {
    const findings = told.slice(from, from + REPORT_FINDINGS);
    reported += (await modelCache.reportModelPaths({ findings })).updated;
  }
  const count = (state: Finding["state"]) => looked.filter(({ finding }) => finding.state === state).length;
  const counts = {
    looked: looked.length,
    present: count("present"),
    missing: count("missing"),
    unreadable: count("unreadable"),
    reported: Number(reported),
  };
  if (context.json) terminal.json({ ...counts, models: looked.map(plainOf) });
  else terminal.result(render(context, looked, counts));
  return counts.missing + counts.unreadable > 0 ? EXIT.data : EXIT.ok;
}

function plainOf({ entry, finding }: { entry: ModelCacheEntry; finding: Finding }) {
  return {
    id: Number(entry.id),
    cache_path: entry.cachePath,
    state: finding.state,
    ...(finding.state === "present" && { size_bytes: Number(finding.sizeBytes) }),
    ...(finding.state === "unreadable" && { reason: finding.reason }),
  };
}

function render(
  { terminal }: Context,
  looked: readonly { entry: ModelCacheEntry; finding: Finding }[],
  counts: { looked: number; present: number; missing: number; unreadable: number },
): string {
  const parts = [
    `${formatCount(counts.present)} there`,
    counts.missing > 0 && `${formatCount(counts.missing)} missing`,
    counts.unreadable > 0 && `${formatCount(counts.unreadable)} that cannot be read`,
  ];
  const summary = ` ${plural(counts.looked, "model")}: ${parts.filter(Boolean).join(", ")}`;
  const bad = new Map(looked.map(({ entry, finding }) => [entry, finding]));
  const rows = looked.filter(({ finding }) => finding.state !== "present").map(({ entry }) => entry);
  if (rows.length === 0) return summary;
  const found = (entry: ModelCacheEntry): string => {
    const finding = bad.get(entry);
    return finding?.state === "unreadable" ? `unreadable (${finding.reason})` : "missing";
  };
  return `${renderEntries(terminal, rows, new Date(), { title: "found", of: found })}\n${summary}`;
}
