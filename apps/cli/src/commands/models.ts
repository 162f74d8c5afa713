import {
  InfoResponseSchema,
  ListModelsResponseSchema,
  ModelSchema,
  type Model,
} from "@kindred/contracts/embedding/v1";
import { KindredError } from "@kindred/errors";
import type { Command } from "commander";
import { openClients, translated } from "../clients.ts";
import type { Context } from "../context.ts";
import { namingModels } from "../embedding/model-errors.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { interruption } from "../interruption.ts";
import { benchModel, type BenchResult } from "../models/bench-model.ts";
import { describePhase } from "../models/model-progress.ts";
import { renderInfo, renderModels, renderPulled } from "../models/render-models.ts";
import { toPlain } from "../plain.ts";
import { formatBytes, formatCount, formatMs, plural } from "../terminal/format.ts";
import { createSteps, silentSteps, type Step, type Steps } from "../terminal/steps.ts";
import { renderPairs } from "../terminal/table.ts";
import { integerOption } from "./parse.ts";
import type { AddCommand } from "./command.ts";

/** A download takes as long as it takes; --timeout is for calls that answer at once. */
const PULL_TIMEOUT_MS = 24 * 3_600_000;

interface BenchCommandOptions {
  texts: number;
  seconds: number;
}

const BENCH_HELP = `
Measures through the service as it is, whatever else it does meanwhile: first one text a call, one call after the other; then many texts,
64 a call and eight calls at a time. Texts are drawn at random, so that the cache of recent vectors does not answer. With a model of a
remote provider the texts are sent there, and count as its provider counts.

Examples:
  kindred models bench
  kindred models bench minilm --texts 2000 --seconds 5 --json`;

export const addModelCommands: AddCommand = (program, run) => {
  const models = program.command("models").description("the models that turn texts into vectors");
  models
    .command("list")
    .description("the served models: where they stand, what they take, how much they are used")
    .action((_options, command: Command) => run(command, list));
  models
    .command("pull [name]")
    .description("get and compile a model's files ahead of time (default: the default model)")
    .addHelpText(
      "after",
      "\nCtrl+C ends the watching; the service gets on with it.\n\nExamples:\n  kindred models pull\n  kindred models pull minilm --json | jq .cache_path",
    )
    .action((name: string | undefined, _options, command: Command) =>
      run(command, (context) => namingModels(() => pull(context, name ?? ""))),
    );
  models
    .command("info [name]")
    .description("how a model is run: its space, execution provider, limits; loads it when it is not loaded")
    .action((name: string | undefined, _options, command: Command) =>
      run(command, (context) => namingModels(() => info(context, name ?? ""))),
    );
  models
    .command("bench [name]")
    .description("measure a model: latency of one text, texts and tokens a second")
    .option("--texts <count>", "texts of the second part at most", integerOption(1, 1_000_000), 10_000)
    .option("--seconds <seconds>", "time of each part at most", integerOption(1, 600), 10)
    .addHelpText("after", BENCH_HELP)
    .action((name: string | undefined, options: BenchCommandOptions, command: Command) =>
      run(command, (context) => namingModels(() => bench(context, name ?? "", options))),
    );
};

async function list(context: Context): Promise<void> {
  const { terminal } = context;
  const reply = await openClients(context).embedding.listModels({});
  if (context.json) terminal.json(toPlain(ListModelsResponseSchema, reply));
  else terminal.result(renderModels(terminal, reply.models, new Date()));
}

async function pull(context: Context, name: string): Promise<void> {
  const { terminal } = context;
  using interrupted = interruption(context.env);
  const { model } = await unlessStopped(interrupted.signal, () =>
    stepsFor(context).run("model", async (step) => {
      const pulled = await translated(() => pullShowing(context, name, step, interrupted.signal));
      const size = pulled.cacheBytes > 0n ? `, ${formatBytes(pulled.cacheBytes)} on disk` : "";
      return { model: pulled, summary: `${pulled.name}${size}` };
    }),
  );
  if (context.json) terminal.json(toPlain(ModelSchema, model));
  else terminal.result(renderPulled(terminal, model));
}

async function pullShowing(context: Context, name: string, step: Step, signal: AbortSignal): Promise<Model> {
  const { embedding } = openClients(context);
  step.progress("asking the service");
  const updates = embedding.pullModel({ model: name }, { signal, timeoutMs: PULL_TIMEOUT_MS });
  let model: Model | undefined;
  // To its end, also behind the model: a stream that is left early keeps its connection, and this process with it.
  for await (const { update } of updates) {
    if (update.case === "model") model = update.value;
    if (update.case !== "progress") continue;
    const { phase, source, done, total } = update.value;
    step.progress(describePhase(phase, source, Number(total)), Number(done), Number(total));
  }
  if (model) return model;
  throw new KindredError("data-loss", "the embedding service ended its answer without naming the model");
}

async function info(context: Context, name: string): Promise<void> {
  const { terminal } = context;
  const reply = await openClients(context).embedding.info({ model: name });
  if (context.json) terminal.json(toPlain(InfoResponseSchema, reply));
  else terminal.result(renderInfo(terminal, reply));
}

async function bench(context: Context, name: string, options: BenchCommandOptions): Promise<void> {
  const { terminal } = context;
  const { embedding } = openClients(context);
  using interrupted = interruption(context.env);
  const { signal } = interrupted;
  const result = await unlessStopped(signal, () =>
    stepsFor(context).run("bench", async (step) => {
      step.progress("waiting for the model");
      // Loads the model, which is no part of what is measured.
      const model = await translated(() => embedding.info({ model: name }, { signal }));
      const measured = await benchModel(embedding, { model: name, ...options, signal }, (what, share) =>
        step.progress(what, Math.min(share, 1), 1),
      );
      return { model, measured, summary: `${model.model}, through ${context.url}` };
    }),
  );
  if (context.json) {
    terminal.json({ model: toPlain(InfoResponseSchema, result.model), ...plainBench(result.measured) });
  } else terminal.result(renderBench(context, result.measured));
}

async function unlessStopped<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new Failure("Stopped before it was done.", { exitCode: EXIT.interrupted, cause: error });
  }
}

function stepsFor(context: Context): Steps {
  return context.json ? silentSteps : createSteps(context.terminal);
}

function plainBench({ single, bulk, cachedTexts }: BenchResult) {
  return {
    single: {
      calls: single.calls,
      p50_ms: single.p50,
      p90_ms: single.p90,
      p99_ms: single.p99,
      tokens_per_text: single.tokensPerText,
    },
    bulk: {
      texts: bulk.texts,
      seconds: bulk.seconds,
      texts_per_second: bulk.textsPerSecond,
      tokens_per_second: bulk.tokensPerSecond,
      tokens_per_text: bulk.tokensPerText,
      texts_per_call: bulk.batchSize,
      calls_at_once: bulk.inFlight,
    },
    cached_texts: cachedTexts,
  };
}

function renderBench({ terminal }: Context, { single, bulk, cachedTexts }: BenchResult): string {
  const pairs = renderPairs(terminal, [
    ["one text", `p50 ${formatMs(single.p50)}, p90 ${formatMs(single.p90)}, p99 ${formatMs(single.p99)}`],
    [
      "many texts",
      `${formatCount(Math.round(bulk.textsPerSecond))} texts/s, ${formatCount(Math.round(bulk.tokensPerSecond))} tokens/s`,
    ],
  ]);
  const did = [
    `${plural(single.calls, "call")} of one text, one after the other`,
    `${plural(bulk.texts, "text")} of ${bulk.tokensPerText.toFixed(1)} tokens on average in ${formatMs(1_000 * bulk.seconds)}, ${bulk.batchSize} a call, ${bulk.inFlight} calls at a time`,
    ...(cachedTexts > 0 ? [`${plural(cachedTexts, "text")} came from a cache`] : []),
  ];
  return `${pairs}\n ${terminal.colors.dim(did.join(" · "))}`;
}
