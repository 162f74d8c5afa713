import { resolve } from "node:path";
import { EmbeddingSpaceSchema, type EmbeddingSpace } from "@kindred/contracts/common/v1";
import { Priority } from "@kindred/contracts/embedding/v1";
import { Option, type Command } from "commander";
import { openClients } from "../clients.ts";
import type { Context } from "../context.ts";
import { callEmbed } from "../embedding/embed-call.ts";
import { embedTexts, type BulkTotals } from "../embedding/embed-texts.ts";
import { namingModels } from "../embedding/model-errors.ts";
import { embeddedJson, renderEmbedded } from "../embedding/render-embedded.ts";
import { givenTexts, openTextSource } from "../embedding/text-source.ts";
import { openVectorFile, vectorFormat, type VectorFile } from "../embedding/vector-file.ts";
import { jsonLines } from "../embedding/vector-json.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { interruption } from "../interruption.ts";
import { toPlain } from "../plain.ts";
import { formatBytes, formatCount, formatMs, plural } from "../terminal/format.ts";
import { createSteps, silentSteps, type Step, type Steps } from "../terminal/steps.ts";
import { renderPairs } from "../terminal/table.ts";
import { integerOption } from "./parse.ts";
import type { AddCommand } from "./command.ts";

const PRIORITIES = { interactive: Priority.INTERACTIVE, bulk: Priority.BULK };

interface EmbedOptions {
  file?: string;
  out?: string;
  model?: string;
  priority?: keyof typeof PRIORITIES;
  withText?: boolean;
  batchSize: number;
  inFlight: number;
  patience: number;
}

const HELP = `
A file has one text a line, in UTF-8. Every line is a text, also an empty one, so that vector number i is that of line i + 1; the newline at
the very end begins no further line. Without --out the vectors go to standard output, a line of JSON each: {"index": 0, "vector": [...]}.

--out writes by the extension of its name, and the file appears when it is complete:
  .jsonl  the same lines of JSON      .npy  NumPy, float32, one row a text      .f32  bare little-endian float32, row after row

Examples:
  kindred embed "a cat on a sofa" "a dog on a chair"
  kindred embed "rain" --json | jq '.results[0].vector | length'
  kindred embed --file texts.txt --out vectors.npy
  cut -f 2 songs.tsv | kindred embed --file - --with-text > vectors.jsonl`;

export const addEmbedCommand: AddCommand = (program, run) => {
  program
    .command("embed [texts...]")
    .description("turn texts into vectors: some given here, or any number from a file")
    .option("--file <path>", "embed each line of this file; - for standard input")
    .option("--out <path>", "write the vectors to this file: .jsonl, .npy or .f32")
    .option("--model <name>", "name or alias of a served model (kindred models list)")
    .addOption(
      new Option(
        "--priority <name>",
        "who goes first when the service is busy (default: bulk for files, else interactive)",
      ).choices(Object.keys(PRIORITIES)),
    )
    .option("--with-text", "the text in each line of JSON, too")
    .option("--batch-size <texts>", "texts in one call", integerOption(1, 10_000), 256)
    .option("--in-flight <calls>", "calls under way at the same time", integerOption(1, 64), 4)
    .option(
      "--patience <seconds>",
      "give up when nothing could be embedded for so long",
      integerOption(0, 86_400),
      120,
    )
    .addHelpText("after", HELP)
    .action((texts: string[], options: EmbedOptions, command: Command) =>
      run(command, (context) => embed(context, texts, options)),
    );
};

async function embed(context: Context, texts: readonly string[], options: EmbedOptions): Promise<void> {
  if (texts.length > 0 === (options.file !== undefined)) {
    throw new Failure("Give texts to embed, or a file of them with --file: one of the two.", {
      exitCode: EXIT.usage,
      remedy: 'e.g. kindred embed "a cat on a sofa"',
    });
  }
  const work = options.file === undefined && options.out === undefined ? embedFew : embedMany;
  await namingModels(() => work(context, texts, options));
}

async function embedFew(context: Context, texts: readonly string[], options: EmbedOptions): Promise<void> {
  const { terminal } = context;
  const startedAt = performance.now();
  const embedded = await callEmbed(openClients(context).embedding, {
    texts: [...texts],
    model: options.model ?? "",
    priority: PRIORITIES[options.priority ?? "interactive"],
  });
  const elapsedMs = performance.now() - startedAt;
  if (context.json) terminal.result(embeddedJson(texts, embedded));
  else terminal.result(renderEmbedded(terminal, texts, embedded, elapsedMs));
}

async function embedMany(context: Context, texts: readonly string[], options: EmbedOptions): Promise<void> {
  const { terminal } = context;
  const { file, out } = options;
  const withText = options.withText ?? false;
  if (file !== undefined && out !== undefined && resolve(file) === resolve(out)) {
    throw new Failure(`--out ${out} is the file that is read.`, { exitCode: EXIT.usage });
  }
  const format = out === undefined ? undefined : vectorFormat(out, { withText });
  const { embedding } = openClients(context);
  using interrupted = interruption(context.env);
  const { signal } = interrupted;
  await using source =
    file === undefined ? givenTexts(texts) : await openTextSource(file, { stdin: process.stdin, signal });
  await using target =
    out === undefined || format === undefined ? undefined : await openVectorFile(out, format);
  const steps = stepsFor(context, target);
  const startedAt = performance.now();
  let done = 0;
  let isTaken = true;
  try {
    const { totals } = await steps.run("embed", async (step) => {
      showProgress(step, 0, 0, source.totalBytes, startedAt);
      const result = await embedTexts(
        source.lines,
        {
          client: embedding,
          onWaiting: (reason) =>
            steps.note(`  waiting up to ${options.patience} s for the service: ${reason}`),
          onResumed: () => steps.note("  the service is back; going on"),
          onAnswer: async (batch, { vectors, space: { dimensions } }, { texts: count }) => {
            const rows = { texts: batch.texts, first: batch.first, vectors, dimensions };
            if (target) await target.write(rows);
            else isTaken = await terminal.part(jsonLines(rows, { withText }));
            done = count;
            showProgress(step, count, batch.end, source.totalBytes, startedAt);
            return isTaken;
          },
        },
        {
          model: options.model ?? "",
          priority: PRIORITIES[options.priority ?? "bulk"],
          batchSize: options.batchSize,
          inFlight: options.inFlight,
          patienceMs: options.patience * 1_000,
        },
        signal,
      );
      return {
        totals: result,
        summary: `${summaryOf(result)}${isTaken ? "" : "; standard output takes no more"}`,
      };
    });
    if (!target || out === undefined) return;
    const space = totals.space ?? (await embedding.info({ model: options.model ?? "" }, { signal })).space;
    const bytes = await target.complete(totals.texts, space?.dimensions ?? 0);
    const report = { out, bytes, totals, space, seconds: (performance.now() - startedAt) / 1_000 };
    if (context.json) terminal.json(plainReport(report));
    else terminal.result(renderReport(context, report));
  } catch (error) {
    if (!signal.aborted) throw error;
    const kept = out === undefined ? "" : `; ${out} was not written`;
    throw new Failure(`Stopped after ${plural(done, "text")}${kept}.`, {
      exitCode: EXIT.interrupted,
      cause: error,
    });
  }
}

/** Moving bars would run through lines that go to the same terminal. */
function stepsFor(context: Context, target: VectorFile | undefined): Steps {
  const sharesTerminal = target === undefined && context.terminal.width !== undefined;
  return context.json || sharesTerminal ? silentSteps : createSteps(context.terminal);
}

function showProgress(
  step: Step,
  texts: number,
  bytes: number,
  totalBytes: number | undefined,
  startedAt: number,
): void {
  const elapsedMs = performance.now() - startedAt;
  const rate = texts > 0 ? [`${formatCount(Math.round((1_000 * texts) / elapsedMs))}/s`] : [];
  // The first calls tell little: they may wait for a model that is being loaded.
  const predictable = totalBytes !== undefined && bytes > totalBytes / 20 && bytes < totalBytes;
  const left = predictable ? [`${formatMs((elapsedMs * (totalBytes - bytes)) / bytes)} left`] : [];
  step.progress("embedding", bytes, totalBytes, [plural(texts, "text"), ...rate, ...left].join(", "));
}

function summaryOf({ texts, tokens, space }: BulkTotals): string {
  return `${plural(texts, "text")}, ${plural(tokens, "token")}${space ? `, ${formatCount(space.dimensions)} dimensions` : ""}`;
}

interface Report {
  out: string;
  bytes: number;
  totals: BulkTotals;
  space: EmbeddingSpace | undefined;
  seconds: number;
}

function plainReport({ out, bytes, totals, space, seconds }: Report) {
  return {
    out,
    bytes,
    texts: totals.texts,
    dimensions: space?.dimensions ?? 0,
    space: space ? toPlain(EmbeddingSpaceSchema, space) : null,
    total_tokens: totals.tokens,
    truncated_texts: totals.truncated,
    cached_texts: totals.cached,
    seconds,
    texts_per_second: totals.texts / seconds,
  };
}

function renderReport({ terminal }: Context, { out, bytes, totals, space, seconds }: Report): string {
  const cut =
    totals.truncated === 0
      ? ""
      : ` (${plural(totals.truncated, "text")} had more than ${space?.maxTokens ?? 0} and ${totals.truncated === 1 ? "was" : "were"} cut)`;
  return renderPairs(terminal, [
    [
      "written",
      `${out} (${formatCount(totals.texts)} x ${formatCount(space?.dimensions ?? 0)}, ${formatBytes(bytes)})`,
    ],
    ["space", space?.id ?? ""],
    ["tokens", `${formatCount(totals.tokens)}${cut}`],
    [
      "speed",
      `${formatCount(Math.round(totals.texts / seconds))} texts/s, ${formatCount(Math.round(totals.tokens / seconds))} tokens/s`,
    ],
  ]);
}
