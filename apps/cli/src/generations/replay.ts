import {
  ExampleChangeKind,
  ReplayRetrievalResponseSchema,
  type ExampleChange,
  type ReplayRetrievalResponse,
  type Retrieval,
} from "@kindred/contracts/generation-tracking/v1";
import type { Command } from "commander";
import { openClients } from "../clients.ts";
import type { AddCommand } from "../commands/command.ts";
import { integerOption } from "../commands/parse.ts";
import type { Context } from "../context.ts";
import { toPlain } from "../plain.ts";
import { formatPercent, plural } from "../terminal/format.ts";
import { oneLine, renderTable } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { idArgument } from "./arguments.ts";

interface ReplayOptions {
  k?: number;
  exact?: true;
}

export const addReplayCommand: AddCommand = (generations, run) => {
  generations
    .command("replay")
    .argument("<id>", "which generation", idArgument)
    .description("what the same query would retrieve today, and how that differs")
    .option("-k, --k <count>", "how many examples (default: as many as then)", integerOption(1, 1_000))
    .option("--exact", "compare every picture, whatever was done then")
    .addHelpText(
      "after",
      `
Examples:
  kindred generations replay 17
  kindred generations replay 17 --exact --json | jq .overlap`,
    )
    .action((id: bigint, options: ReplayOptions, command: Command) =>
      run(command, (context) => replay(context, id, options)),
    );
};

async function replay(context: Context, id: bigint, options: ReplayOptions): Promise<void> {
  const { terminal } = context;
  const { k = 0, exact } = options;
  const request = { id, k, exact: exact === true };
  const reply = await openClients(context).lineage.replayRetrieval(request);
  if (context.json) terminal.json(toPlain(ReplayRetrievalResponseSchema, reply));
  else terminal.result(renderReplay(terminal, reply));
}

function renderReplay(terminal: Terminal, reply: ReplayRetrievalResponse): string {
  const { colors } = terminal;
  const { query, examplesThen, changes, overlap, spaceChanged, retrievalThen, retrievalNow } = reply;
  const table =
    changes.length === 0
      ? ` ${colors.dim("nothing was retrieved, then or today")}`
      : renderTable(
          terminal,
          [
            { title: "then", align: "right" },
            { title: "today", align: "right" },
            { title: "what became of it" },
            { title: "similarity", align: "right" },
            { title: "image", shrinks: true },
          ],
          changes.map((change) => rowOf(change, spaceChanged)),
        );
  const kept =
    overlap === undefined
      ? "nothing was retrieved then"
      : `${formatPercent(overlap)} of ${plural(examplesThen.length, "example")} of then are retrieved today`;
  const methods = `then ${describe(retrievalThen)}, today ${describe(retrievalNow)}`;
  const warning = spaceChanged
    ? `\n ${colors.yellow("another embedding space is searched today: similarities cannot be compared")}`
    : "";
  return ` ${colors.bold(oneLine(query))}\n${table}\n ${colors.dim(`${kept} · ${methods}`)}${warning}`;
}

const KINDS: Record<number, string> = {
  [ExampleChangeKind.SAME]: "same",
  [ExampleChangeKind.MOVED]: "moved",
  [ExampleChangeKind.ADDED]: "new",
  [ExampleChangeKind.DROPPED]: "not retrieved any more",
  [ExampleChangeKind.DELETED]: "deleted from the catalogue",
};

function rowOf(change: ExampleChange, spaceChanged: boolean): string[] {
  const { rankThen, rankNow, similarityThen, similarityNow, imagePath, imageId } = change;
  const kind = `${KINDS[change.kind] ?? "unknown"}${change.captionChanged ? ", another caption" : ""}`;
  const [before, now] = [similarityThen, similarityNow].map((value) => value?.toFixed(4));
  const similarity = spaceChanged || before === now ? [now ?? before] : [before, now];
  return [
    rankThen === 0 ? "" : String(rankThen),
    rankNow === 0 ? "" : String(rankNow),
    kind,
    similarity.filter((text) => text !== undefined).join(" → "),
    imagePath || (imageId === 0n ? "" : `image ${imageId}`),
  ];
}

/** E.g. "hnsw ef 40"; for what was recorded before that was kept: that it is not known. */
function describe(retrieval: Retrieval | undefined): string {
  if (!retrieval?.method) return "unknown";
  const { method, efSearch, probes } = retrieval;
  const effort = efSearch > 0 ? ` ef ${efSearch}` : probes > 0 ? ` probes ${probes}` : "";
  return `${oneLine(method)}${effort}`;
}
