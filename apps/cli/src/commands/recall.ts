import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  GetRecallCurvesResponseSchema,
  ListRecallEventsResponseSchema,
  ListRecallMeasurementsResponseSchema,
  QuerySource,
  RecallMeasurementSchema,
  type MeasureRecallRequestSchema,
  type RecallCurve,
} from "@kindred/contracts/vector-store/v1";
import { Option, type Command } from "commander";
import { openClients } from "../clients.ts";
import type { Context } from "../context.ts";
import { Failure } from "../failure.ts";
import { addWaitOptions, awaitOperation, type WaitOptions } from "../operations/follow-operation.ts";
import { namingOthers } from "../operations/naming-others.ts";
import { renderResult } from "../operations/render-operations.ts";
import { toPlain } from "../plain.ts";
import { renderCurves } from "../recall/render-curves.ts";
import { EFFORT_HELP, renderEvents, renderHistory, renderMeasurement } from "../recall/render-recall.ts";
import { createSteps, silentSteps } from "../terminal/steps.ts";
import type { AddCommand } from "./command.ts";
import { durationOption, integerOption, numberOption } from "./parse.ts";

const SOURCES = {
  auto: QuerySource.UNSPECIFIED,
  recent: QuerySource.RECENT,
  stored: QuerySource.STORED,
  mixed: QuerySource.MIXED,
} as const;

interface QueryOptions {
  index?: string;
  queries?: number;
  source?: keyof typeof SOURCES;
  maxDuration?: number;
}

interface MeasureOptions extends QueryOptions {
  k?: number;
  effort?: number;
  recallTarget?: number;
  selectivity?: number;
  confidence?: number;
}

interface CurveOptions {
  index?: string;
  k: number;
  selectivity?: number;
  recallTarget?: number;
}

const MEASURE_HELP = `${EFFORT_HELP}

Queries are run both through the index and exactly, in one snapshot. They are recent searches as far as there are any, else stored
vectors, moved a little.

Examples:
  kindred recall measure songs
  kindred recall measure songs --recall-target 0.99 --queries 1000
  kindred recall measure songs --selectivity 0.01        searches under a filter that 1 % of the rows pass`;

const TUNE_HELP = `${EFFORT_HELP}

Tuning finds out which effort the index needs for which recall, with and without filters; searches go by that from then on.

Examples:
  kindred recall tune songs
  kindred recall tune songs --queries 1000 --max-duration 10m`;

export const addRecallCommands: AddCommand = (program, run) => {
  const recall = program
    .command("recall")
    .description("how many of the true nearest searches find: measure it, tune for it")
    .addHelpText("after", EFFORT_HELP);
  addQueryOptions(
    recall
      .command("measure <collection>")
      .description("measure the recall of an index now")
      .option("-k, --k <count>", "recall@k, 1 to 100 (default: 10)", integerOption(1, 100))
      .option(
        "--effort <count>",
        "measure at this effort (default: the one that searches take for the target)",
        integerOption(1, 1_000_000),
      )
      .option(
        "--recall-target <share>",
        "at the effort for this recall (default: the collection's target)",
        numberOption(0, 1),
      )
      .option("--selectivity <share>", "under a filter that so many rows pass, e.g. 0.01", numberOption(0, 1))
      .option("--confidence <share>", "of the interval (default: 0.95)", numberOption(0.5, 1)),
    { queries: "10 to 10000 (default: 200)", least: 10, duration: "60s" },
  )
    .addHelpText("after", MEASURE_HELP)
    .action((collection: string, options: MeasureOptions, command: Command) =>
      run(command, (context) => measure(context, collection, options)),
    );
  addWaitOptions(
    addQueryOptions(
      recall
        .command("tune <collection>")
        .description("find out which effort the index needs for which recall"),
      { queries: "50 to 10000 (default: 400)", least: 50, duration: "5m" },
    ),
  )
    .addHelpText("after", TUNE_HELP)
    .action((collection: string, options: QueryOptions & WaitOptions, command: Command) =>
      run(command, (context) => tune(context, collection, options)),
    );
  recall
    .command("curve <collection>")
    .description("what tuning found out: recall by effort, and the effort for the target")
    .option("--index <name>", "only this index")
    .option("-k, --k <count>", "plot recall@k", integerOption(1, 100), 10)
    .option(
      "--selectivity <share>",
      "plot searches under a filter that so many rows pass (default: no filter)",
      numberOption(0, 1),
    )
    .option("--recall-target <share>", "mark this target (default: the collection's)", numberOption(0, 1))
    .addHelpText("after", EFFORT_HELP)
    .action((collection: string, options: CurveOptions, command: Command) =>
      run(command, (context) => curve(context, collection, options)),
    );
  addLimit(
    recall
      .command("history <collection>")
      .description("earlier measurements, the latest first")
      .option("--index <name>", "only those of this index"),
  ).action((collection: string, options: { index?: string; limit: number }, command: Command) =>
    run(command, (context) => history(context, collection, options)),
  );
  addLimit(
    recall
      .command("events [collection]")
      .description("when recall fell below its target, and when it was met again"),
  ).action((collection: string | undefined, options: { limit: number }, command: Command) =>
    run(command, (context) => events(context, collection ?? "", options.limit)),
  );
};

function addLimit(command: Command): Command {
  return command.option("--limit <count>", "at most so many, 1 to 1000", integerOption(1, 1_000), 20);
}

function addQueryOptions(
  command: Command,
  { queries, least, duration }: { queries: string; least: number; duration: string },
): Command {
  return command
    .option("--index <name>", "which index (default: the one that searches use)")
    .option("--queries <count>", `how many queries, ${queries}`, integerOption(least, 10_000))
    .addOption(
      new Option("--source <source>", "recent searches, stored vectors, or some of both").choices(
        Object.keys(SOURCES),
      ),
    )
    .option(
      "--max-duration <duration>",
      `end after so long, with what there is (default: ${duration})`,
      durationOption("1s", "1h"),
    );
}

const MEASURE_MS = 60_000;

async function measure(context: Context, collection: string, options: MeasureOptions): Promise<void> {
  const { terminal } = context;
  const { maxDuration, recallTarget, confidence, source } = options;
  const request: MessageInitShape<typeof MeasureRecallRequestSchema> = {
    collection,
    indexName: options.index ?? "",
    k: options.k ?? 0,
    effort: options.effort ?? 0,
    queries: options.queries ?? 0,
    filterSelectivity: options.selectivity ?? 0,
    ...(source && { source: SOURCES[source] }),
    ...(recallTarget !== undefined && { recallTarget }),
    ...(confidence !== undefined && { confidence }),
    ...(maxDuration !== undefined && { maxDuration: durationFromMs(maxDuration) }),
  };
  const steps = context.json ? silentSteps : createSteps(terminal);
  const { measurement } = await steps.run("recall", async (step) => {
    step.progress("running queries through the index and exactly");
    const reply = await openClients(context).recall.measureRecall(request, {
      timeoutMs: context.timeoutMs + (maxDuration ?? MEASURE_MS),
    });
    return { measurement: reply.measurement, summary: "measured" };
  });
  if (!measurement) throw new Failure("The service measured nothing.");
  if (context.json) terminal.json(toPlain(RecallMeasurementSchema, measurement));
  else terminal.result(renderMeasurement(terminal, measurement));
}

async function tune(
  context: Context,
  collection: string,
  options: QueryOptions & WaitOptions,
): Promise<void> {
  const { terminal } = context;
  const { index: indexName = "", queries = 0, source, maxDuration, requestId = "" } = options;
  const { operation } = await namingOthers(collection, () =>
    openClients(context).recall.startRecallTuning({
      collection,
      indexName,
      queries,
      requestId,
      ...(source && { source: SOURCES[source] }),
      ...(maxDuration !== undefined && { maxDuration: durationFromMs(maxDuration) }),
    }),
  );
  const tuned = await awaitOperation(context, operation, options);
  if (!tuned || context.json) return;
  const result = renderResult(terminal, tuned);
  terminal.result(
    [...(result === undefined ? [] : [result]), ` what it found: kindred recall curve ${collection}`].join(
      "\n",
    ),
  );
}

async function curve(context: Context, collection: string, options: CurveOptions): Promise<void> {
  const { terminal } = context;
  const clients = openClients(context);
  const reply = await clients.recall.getRecallCurves({ collection });
  if (context.json) {
    terminal.json(toPlain(GetRecallCurvesResponseSchema, reply));
    return;
  }
  const { index, k, selectivity = 1 } = options;
  const curves = reply.curves.filter(({ indexName }) => index === undefined || indexName === index);
  if (curves.length === 0) {
    terminal.result(` nothing is known yet: kindred recall tune ${collection}`);
    return;
  }
  const target = options.recallTarget ?? (await targetOf(context, collection));
  const shown = (one: RecallCurve): boolean =>
    one.k === k && Math.abs(one.filterSelectivity - selectivity) < 1e-9;
  if (!curves.some(shown)) {
    const known = curves.map((one) => `-k ${one.k} --selectivity ${one.filterSelectivity}`);
    throw new Failure("There is no such curve.", { remedy: `There are: ${[...new Set(known)].join("; ")}` });
  }
  terminal.result(renderCurves(terminal, curves, shown, { target, now: new Date() }));
}

async function targetOf(context: Context, name: string): Promise<number> {
  const { collection } = await openClients(context).collections.getCollection({ name });
  return collection?.recallTarget ?? 0;
}

async function history(
  context: Context,
  collection: string,
  { index = "", limit }: { index?: string; limit: number },
): Promise<void> {
  const { terminal } = context;
  const reply = await openClients(context).recall.listRecallMeasurements({
    collection,
    indexName: index,
    pageSize: limit,
  });
  if (context.json) terminal.json(toPlain(ListRecallMeasurementsResponseSchema, reply));
  else if (reply.measurements.length === 0)
    terminal.result(` nothing was measured yet: kindred recall measure ${collection}`);
  else terminal.result(renderHistory(terminal, reply.measurements, new Date()));
}

async function events(context: Context, collection: string, limit: number): Promise<void> {
  const { terminal } = context;
  const reply = await openClients(context).recall.listRecallEvents({ collection, pageSize: limit });
  if (context.json) terminal.json(toPlain(ListRecallEventsResponseSchema, reply));
  else if (reply.events.length === 0) terminal.result(" none: recall has not fallen below its target");
  else terminal.result(renderEvents(terminal, reply.events, new Date()));
}
