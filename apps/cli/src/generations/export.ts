import { extname } from "node:path";
import { ExportFormat, type ExportGenerationsResponse } from "@kindred/contracts/generation-tracking/v1";
import { Option, type Command } from "commander";
import { letGo, openClients, translated, type Clients } from "../clients.ts";
import type { AddCommand } from "../commands/command.ts";
import type { Context } from "../context.ts";
import { NO_HEADER, openVectorFile } from "../embedding/vector-file.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { exportFile } from "../transfer/export-file.ts";
import type { ReadDeps } from "../transfer/read-images.ts";
import { addFilterOptions, FILTER_HELP, filterOf, type FilterOptions } from "./filter-options.ts";

const FORMATS = {
  jsonl: ExportFormat.JSONL,
  csv: ExportFormat.CSV,
  parquet: ExportFormat.PARQUET,
} as const;
type FormatName = keyof typeof FORMATS;

interface ExportOptions extends FilterOptions {
  format?: FormatName;
}

const HELP = `
The format is that of the file's extension: .jsonl, .csv or .parquet; - is standard output, JSON lines unless --format csv. All of the file
is of one moment, and it appears when it is complete. \`kindred import generations\` reads JSON lines and Parquet.
${FILTER_HELP}

Examples:
  kindred generations export generations.parquet
  kindred generations export failed.csv --status failed --since 2026-07-01
  kindred generations export - --rating 5 | jq -r .prompt`;

/** No call of a stream ends before this: a million generations take minutes. */
const TIMEOUT_MS = 24 * 3_600_000;

export const addExportCommand: AddCommand = (generations, run) => {
  addFilterOptions(
    generations
      .command("export <file>")
      .description("writes the generations that match to a file: JSON lines, CSV or Parquet")
      .addOption(
        new Option("--format <format>", "instead of what the file's extension says").choices(
          Object.keys(FORMATS),
        ),
      ),
  )
    .addHelpText("after", HELP)
    .action((file: string, options: ExportOptions, command: Command) =>
      run(command, (context) => exportTo(context, file, options)),
    );
};

async function exportTo(context: Context, path: string, options: ExportOptions): Promise<void> {
  const format = options.format ?? formatOf(path);
  if (path === "-" && format === "parquet") {
    throw new Failure("Parquet cannot be written to standard output.", {
      exitCode: EXIT.usage,
      remedy: "Name a file, e.g. generations.parquet",
    });
  }
  const clients = openClients(context);
  const filter = filterOf(options);
  const { count } = await clients.generations.countGenerations({ filter });
  const decoder = new TextDecoder();
  let rows = 0;
  await exportFile<ExportGenerationsResponse>(context, {
    path,
    format: {
      open: () => openVectorFile(path, { ...NO_HEADER, encode: ({ data }) => data }),
      // A part may end within a character.
      lines: { first: "", encode: ({ data }) => decoder.decode(data, { stream: true }) },
    },
    dimensions: 0,
    read: (deps) => readParts(clients, { filter, format: FORMATS[format] }, deps),
    countOf: (part) => {
      const added = Number(part.rows) - rows;
      rows = Number(part.rows);
      return added;
    },
    total: Number(count),
    noun: "generation",
    waitsFor: "the services",
    resumedNote: "",
    // A snapshot ends with its stream: there is nothing to wait for.
    patienceSeconds: 0,
  });
}

async function* readParts(
  { generations }: Pick<Clients, "generations">,
  request: Parameters<Clients["generations"]["exportGenerations"]>[0],
  { signal }: Pick<ReadDeps, "signal">,
): AsyncGenerator<ExportGenerationsResponse> {
  const left = new AbortController();
  const reply = generations.exportGenerations(request, {
    signal: AbortSignal.any([signal, left.signal]),
    timeoutMs: TIMEOUT_MS,
  });
  const parts = reply[Symbol.asyncIterator]();
  let isComplete = false;
  try {
    for (;;) {
      const part = await translated(() => parts.next());
      if (part.done) break;
      isComplete = part.value.last;
      yield part.value;
    }
  } finally {
    letGo(left, parts);
  }
  if (!isComplete) {
    throw new Failure("The export broke off before its end; nothing was written.", {
      exitCode: EXIT.unavailable,
      remedy: "Try again.",
    });
  }
}

function formatOf(path: string): FormatName {
  if (path === "-") return "jsonl";
  const extension = extname(path).toLowerCase();
  const name = extension === ".ndjson" ? "jsonl" : extension.slice(1);
  if (Object.hasOwn(FORMATS, name)) return name as FormatName;
  throw new Failure(
    `${path}: its extension says how generations are written, and it is none of those known.`,
    {
      exitCode: EXIT.usage,
      remedy: "Give it one of .jsonl, .csv or .parquet, or name one by --format",
    },
  );
}
