import {
  SearchPromptsResponseSchema,
  type SearchPromptsResponse,
} from "@kindred/contracts/generation-tracking/v1";
import type { Command } from "commander";
import { openClients } from "../clients.ts";
import type { AddCommand } from "../commands/command.ts";
import { integerOption, numberOption } from "../commands/parse.ts";
import type { Context } from "../context.ts";
import { toPlain } from "../plain.ts";
import { formatMs, plural } from "../terminal/format.ts";
import { renderTable } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { addFilterOptions, FILTER_HELP, filterOf, type FilterOptions } from "./filter-options.ts";
import { timeText } from "./render-generation.ts";
import { statusName } from "./status.ts";

interface SearchOptions extends FilterOptions {
  k: number;
  threshold?: number;
}

const HELP = `${FILTER_HELP}

Examples:
  kindred generations search "a locomotive in winter" -k 5
  kindred generations search "a locomotive in winter" --status completed --rating 4..5
  kindred generations search "boats at dusk" --threshold 0.4`;

export const addSearchCommand: AddCommand = (generations, run) => {
  addFilterOptions(
    generations
      .command("search <text>")
      .description("generations whose prompts mean something alike, the nearest first")
      .option("-k, --k <count>", "how many", integerOption(1, 1_000), 10)
      .option("--threshold <similarity>", "only those at least so similar, -1 to 1", numberOption(-1, 1)),
  )
    .addHelpText("after", HELP)
    .action((text: string, options: SearchOptions, command: Command) =>
      run(command, (context) => search(context, text, options)),
    );
};

async function search(context: Context, query: string, options: SearchOptions): Promise<void> {
  const { terminal } = context;
  const { generations } = openClients(context);
  const startedAt = performance.now();
  const reply = await generations.searchPrompts({
    query,
    k: options.k,
    filter: filterOf(options),
    ...(options.threshold !== undefined && { threshold: options.threshold }),
  });
  const elapsedMs = performance.now() - startedAt;
  if (context.json) {
    terminal.json(toPlain(SearchPromptsResponseSchema, reply));
    return;
  }
  terminal.result(reply.hits.length === 0 ? " no prompt is like that" : renderHits(terminal, reply));
  for (const note of notesOf(reply, elapsedMs)) terminal.note(` ${note}`);
}

function renderHits(terminal: Terminal, { hits }: SearchPromptsResponse): string {
  return renderTable(
    terminal,
    [
      { title: "similarity", align: "right" },
      { title: "id", align: "right" },
      { title: "when" },
      { title: "status" },
      { title: "prompt", shrinks: true },
    ],
    hits.flatMap(({ generation, similarity }) =>
      generation
        ? [
            [
              similarity.toFixed(3),
              String(generation.id),
              timeText(generation.createdAt),
              statusName(generation.status),
              generation.prompt,
            ],
          ]
        : [],
    ),
  );
}

/** The service counts no further. */
const MOST_PENDING = 10_000n;

/** How it was, and what may be missing. */
function notesOf({ hits, pending, incomplete }: SearchPromptsResponse, elapsedMs: number): string[] {
  const found = `${plural(hits.length, "hit")} in ${formatMs(elapsedMs)}`;
  return [
    incomplete ? `${found}; there may be more: only the nearest 10,000 prompts were looked at` : found,
    ...(pending > 0n
      ? [
          `${pending >= MOST_PENDING ? "at least " : ""}${plural(pending, "recorded prompt")} cannot be found yet; the vector store gets to know them by and by`,
        ]
      : []),
  ];
}
