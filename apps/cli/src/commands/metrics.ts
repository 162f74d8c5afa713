import { setTimeout as sleep } from "node:timers/promises";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  ListComponentsResponseSchema,
  MetricSampleSchema,
  QueryHistoryResponseSchema,
  type MetricName,
} from "@kindred/contracts/metrics/v1";
import { InvalidArgumentError, Option, type Command } from "commander";
import { openClients } from "../clients.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { interruption } from "../interruption.ts";
import { QUANTITIES, QUANTITY_NAMES, RESOLUTIONS, type ResolutionName } from "../metrics/quantities.ts";
import { renderComponents, renderHistory, renderSample } from "../metrics/render-metrics.ts";
import { toPlain } from "../plain.ts";
import { resumedStream, WATCH_TIMEOUT_MS } from "../resumed-stream.ts";
import { addRepeatOptions, repeatedly, type RepeatOptions } from "../terminal/repeatedly.ts";
import type { AddCommand } from "./command.ts";
import { dateOption, integerOption, numberOption } from "./parse.ts";

interface HistoryOptions extends RepeatOptions {
  hours?: number;
  from?: Date;
  to?: Date;
  metric?: MetricName[];
  resolution: ResolutionName;
  maxPoints: number;
}

const HELP = `
Every service reports what it uses, as a rule every ten seconds. CPU is in percent of one core; the source says whether CPU and memory are
those of the process, of its control group (in a container), or of the machine. What was not measured is empty, and never zero.

Examples:
  kindred metrics list --watch
  kindred metrics history embedding --hours 6 --metric cpu --metric memory
  kindred metrics history --from 2025-11-01 --to 2025-11-08 --resolution hour --json
  kindred metrics watch --json | jq -r '[.component, .cpu_usage] | @tsv'`;

export const addMetricsCommands: AddCommand = (program, run) => {
  const metrics = program
    .command("metrics")
    .description("what the services use: CPU, memory, disk, GPUs, connections; now, before, as it comes")
    .addHelpText("after", HELP);
  addRepeatOptions(metrics.command("list"))
    .description("processes that report, with their latest sample")
    .action((options: RepeatOptions, command: Command) => run(command, (context) => list(context, options)));
  addRepeatOptions(metrics.command("history [components...]"))
    .description("each quantity as a line over the time, with its figures")
    .option("--hours <hours>", "so far back from now (default: 24)", numberOption(0.001, 87_600))
    .option("--from <time>", "its beginning, a date or an ISO 8601 time", dateOption)
    .option("--to <time>", "its end (default: now)", dateOption)
    .option(
      "--metric <name>",
      `only this one; may be given several times: ${QUANTITY_NAMES.join(", ")}`,
      metricOption,
    )
    .addOption(
      new Option("--resolution <resolution>", "how fine; auto: the finest with at most 1,000 points a line")
        .choices(Object.keys(RESOLUTIONS))
        .default("auto"),
    )
    .option("--max-points <count>", "points of all lines, 1 to 1000000", integerOption(1, 1_000_000), 100_000)
    .action((components: string[], options: HistoryOptions, command: Command) =>
      run(command, (context) => history(context, components, options)),
    );
  metrics
    .command("watch [components...]")
    .description("samples as they come, a line each, until Ctrl+C; with --json a line of JSON each")
    .option("--backlog <minutes>", "first those of the last minutes, 0 to 60", integerOption(0, 60), 0)
    .option(
      "--patience <seconds>",
      "give up when the service has not answered for so long",
      integerOption(0, 86_400),
      300,
    )
    .action((components: string[], options: { backlog: number; patience: number }, command: Command) =>
      run(command, (context) => watch(context, components, options)),
    );
};

function metricOption(raw: string, earlier: readonly MetricName[] = []): readonly MetricName[] {
  const found = QUANTITIES.find(({ name }) => name === raw);
  if (!found) throw new InvalidArgumentError(`It must be one of ${QUANTITY_NAMES.join(", ")}.`);
  return [...earlier, found.metric];
}

async function list(context: Context, options: RepeatOptions): Promise<void> {
  const { metrics } = openClients(context);
  await repeatedly(context, options, async (signal) => {
    const reply = await metrics.listComponents({}, { signal });
    if (context.json) return toPlain(ListComponentsResponseSchema, reply);
    return reply.components.length === 0
      ? " nobody has reported yet"
      : renderComponents(context.terminal, reply.components, new Date());
  });
}

async function history(context: Context, components: string[], options: HistoryOptions): Promise<void> {
  const { hours, from, to, metric, resolution, maxPoints } = options;
  if (hours !== undefined && from) {
    throw new Failure("--hours and --from exclude each other.", {
      exitCode: EXIT.usage,
      remedy: "--from with --to is a period; --hours is one that ends now.",
    });
  }
  const { metrics } = openClients(context);
  await repeatedly(context, options, async (signal) => {
    const reply = await metrics.queryHistory(
      {
        components,
        metrics: metric ?? [],
        resolution: RESOLUTIONS[resolution],
        maxPoints,
        ...(hours === undefined ? {} : { hours }),
        ...(from && { from: timestampFromDate(from) }),
        ...(to && { to: timestampFromDate(to) }),
      },
      { signal },
    );
    if (context.json) return toPlain(QueryHistoryResponseSchema, reply);
    return reply.series.length === 0
      ? " nothing was measured in this period"
      : renderHistory(context.terminal, reply);
  });
}

async function watch(
  context: Context,
  components: string[],
  { backlog, patience }: { backlog: number; patience: number },
): Promise<void> {
  const { terminal } = context;
  const { metrics } = openClients(context);
  using interrupted = interruption(context.env);
  const { signal } = interrupted;
  let opened = 0;
  const updates = resumedStream(
    {
      what: "the watching",
      open: (until) =>
        metrics.watchMetrics(
          // What was shown before is not shown again.
          { components, backlogMinutes: opened++ === 0 ? backlog : 0 },
          { signal: until, timeoutMs: WATCH_TIMEOUT_MS },
        ),
      isOver: () => false,
    },
    {
      sleep: (ms, until) => sleep(ms, undefined, { signal: until }),
      now: () => performance.now(),
      onWaiting: (reason) => terminal.note(`  waiting up to ${patience} s for the service: ${reason}`),
      onResumed: () => terminal.note("  the service is back; samples may be missing"),
    },
    { patienceMs: 1000 * patience, signal },
  );
  try {
    for await (const { samples, dropped } of updates) {
      if (dropped > 0n)
        terminal.note(`  ${dropped} samples were left out: they came faster than they were read`);
      const lines = samples.map((sample) =>
        context.json ? JSON.stringify(toPlain(MetricSampleSchema, sample)) : renderSample(terminal, sample),
      );
      // Nobody reads any more: head has seen enough.
      if (lines.length > 0 && !(await terminal.part(`${lines.join("\n")}\n`))) return;
    }
  } catch (error) {
    // Ctrl+C is how it ends.
    if (!signal.aborted) throw error;
  }
}
