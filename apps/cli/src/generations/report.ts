import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  GetReportResponseSchema,
  ReportInterval,
  type Distribution,
  type GenerationSummary,
  type GetReportResponse,
} from "@kindred/contracts/generation-tracking/v1";
import { Option, type Command } from "commander";
import { openClients } from "../clients.ts";
import type { AddCommand } from "../commands/command.ts";
import { integerOption } from "../commands/parse.ts";
import type { Context } from "../context.ts";
import { toPlain } from "../plain.ts";
import { formatCount, formatMib, formatMs, formatPercent } from "../terminal/format.ts";
import { addRepeatOptions, repeatedly, type RepeatOptions } from "../terminal/repeatedly.ts";
import { renderTable, type Column } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { addFilterOptions, FILTER_HELP, filterOf, type FilterOptions } from "./filter-options.ts";
import { statusName } from "./status.ts";

const INTERVALS = { hour: ReportInterval.HOUR, day: ReportInterval.DAY } as const;

interface ReportOptions extends FilterOptions, RepeatOptions {
  by?: keyof typeof INTERVALS;
  timeZone: string;
  models: number;
}

const HELP = `${FILTER_HELP}

Times and memory are those of completed generations; p50, p95 and p99 are exact. Hours reach over at most 31 days, days over 10 years.

Examples:
  kindred generations report
  kindred generations report --by day --since 2026-07-01
  kindred generations report --by hour --since 2026-07-30 --time-zone UTC --model-name sdxl`;

export const addReportCommand: AddCommand = (generations, run) => {
  addFilterOptions(
    addRepeatOptions(generations.command("report"))
      .description(
        "how many, how long they took, how much memory: in all, of the last 24 hours, by model, by hour or day",
      )
      .addOption(new Option("--by <interval>", "spans of time").choices(Object.keys(INTERVALS)))
      .option(
        "--time-zone <name>",
        "whose hours and days they are (default: that of this machine)",
        Intl.DateTimeFormat().resolvedOptions().timeZone,
      )
      .option("--models <count>", "at most so many models", integerOption(1, 1_000), 20),
  )
    .addHelpText("after", HELP)
    .action((options: ReportOptions, command: Command) =>
      run(command, (context) => report(context, options)),
    );
};

async function report(context: Context, options: ReportOptions): Promise<void> {
  const { generations } = openClients(context);
  await repeatedly(context, options, async (signal) => {
    const reply = await generations.getReport(
      {
        filter: filterOf(options),
        ...(options.by && { interval: INTERVALS[options.by] }),
        timeZone: options.timeZone,
        models: options.models,
      },
      { signal },
    );
    if (context.json) return toPlain(GetReportResponseSchema, reply);
    return renderReport(context.terminal, reply, options);
  });
}

const FIGURES: readonly Column[] = [
  { title: "count", align: "right" },
  { title: "failed", align: "right" },
  { title: "avg", align: "right" },
  { title: "p50", align: "right" },
  { title: "p95", align: "right" },
  { title: "p99", align: "right" },
  { title: "memory p50", align: "right" },
  { title: "p99", align: "right" },
];

export function renderReport(
  terminal: Terminal,
  reply: GetReportResponse,
  { by, timeZone }: Pick<ReportOptions, "by" | "timeZone">,
): string {
  const table = (
    title: string,
    rows: readonly (readonly [string, GenerationSummary | undefined])[],
  ): string =>
    renderTable(
      terminal,
      [{ title, shrinks: true }, ...FIGURES],
      rows.map(([name, summary]) => [name, ...figuresOf(summary)]),
    );
  const parts = [
    table("generations", [
      ["all", reply.all],
      ["last 24 hours", reply.last24Hours],
    ]),
    ` ${endsOf(reply.all)}`,
  ];
  if (reply.byModel.length > 0) {
    parts.push(
      table(
        "model",
        reply.byModel.map(({ modelName, summary }) => [modelName || "(none)", summary]),
      ),
    );
  }
  if (by !== undefined && reply.spans.length > 0) {
    const nameOf = (start: Date): string =>
      by === "day"
        ? start.toLocaleDateString("sv-SE", { timeZone })
        : start.toLocaleString("sv-SE", { timeZone }).slice(0, "2026-07-01 12:00".length);
    parts.push(
      table(
        by,
        reply.spans.map(({ start, summary }) => [start ? nameOf(timestampDate(start)) : "", summary]),
      ),
    );
  }
  return parts.join("\n\n");
}

/** "4,200 completed, 17 failed; 12.5 an hour" */
function endsOf(summary: GenerationSummary | undefined): string {
  if (!summary || summary.count === 0n) return "nothing is recorded that matches";
  const ends = summary.byStatus.map(({ status, count }) => `${formatCount(count)} ${statusName(status)}`);
  const rate = summary.perHour === undefined ? "" : `; ${Number(summary.perHour.toPrecision(3))} an hour`;
  return `${ends.join(", ")}${rate}`;
}

function figuresOf(summary: GenerationSummary | undefined): string[] {
  const time = (value: number | undefined): string => (value === undefined ? "" : formatMs(value));
  const memory = (value: number | undefined): string => (value === undefined ? "" : formatMib(value));
  const taken: Distribution | undefined = summary?.generationTimeMs;
  return [
    formatCount(summary?.count ?? 0n),
    summary?.failureRate === undefined ? "" : formatPercent(summary.failureRate),
    time(taken?.average),
    time(taken?.p50),
    time(taken?.p95),
    time(taken?.p99),
    memory(summary?.memoryUsageMb?.p50),
    memory(summary?.memoryUsageMb?.p99),
  ];
}
