import { randomUUID } from "node:crypto";
import type { JsonObject, MessageInitShape } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  GenerationSchema,
  GenerationStatus,
  RetrievedExampleSchema,
  type Generation,
  type GenerationFieldsSchema,
} from "@kindred/contracts/generation-tracking/v1";
import { Option, type Command } from "commander";
import { openClients, type Clients } from "../clients.ts";
import type { Context } from "../context.ts";
import { toPlain } from "../plain.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { formatMs } from "../terminal/format.ts";
import { renderPairs, renderTable, type Pair } from "../terminal/table.ts";
import type { AddCommand } from "./command.ts";
import { dateOption, integerOption, jsonOption, MAX_INT32, numberOption } from "./parse.ts";
import { captionOf } from "../vectors/render-search.ts";

export const STATUSES = {
  completed: GenerationStatus.COMPLETED,
  failed: GenerationStatus.FAILED,
  cancelled: GenerationStatus.CANCELLED,
} as const;
type StatusName = keyof typeof STATUSES;

interface RecordOptions {
  prompt: string;
  augmentedPrompt?: string;
  output?: string;
  seed?: number;
  steps?: number;
  guidance?: number;
  timeMs?: number;
  memoryMb?: number;
  model?: JsonObject;
  status: StatusName;
  error?: string;
  fromSearch?: string;
  k: number;
  key?: string;
}

interface ListOptions {
  limit: number;
  status?: StatusName;
  contains?: string;
  since?: Date;
}

const EXAMPLES = `
Examples:
  kindred generations record --prompt "a red kite over a beach" --steps 30 --time-ms 2140
  kindred generations record --prompt "a kite" --from-search "kite" -k 3      with the examples that a search finds
  kindred generations record --prompt "a kite" --status failed --error "out of memory"`;

export const addGenerationCommands: AddCommand = (program, run) => {
  const generations = program.command("generations").description("what was generated, and from what");
  generations
    .command("record")
    .description("record one finished generation")
    .requiredOption("-p, --prompt <text>", "what was asked for")
    .option("--augmented-prompt <text>", "the prompt as the model got it")
    .option("-o, --output <path>", "where the result was written")
    .option("--seed <number>", "random seed", integerOption(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER))
    .option("--steps <count>", "denoising steps", integerOption(0, MAX_INT32))
    .option("--guidance <scale>", "classifier-free guidance scale", numberOption(-1e9, 1e9))
    .option("--time-ms <ms>", "how long it took", integerOption(0, MAX_INT32))
    .option("--memory-mb <mib>", "peak memory", numberOption(0, 1e9))
    .option("--model <json>", "the model and its settings, a JSON object", jsonOption)
    .addOption(
      new Option("--status <status>", "how it ended").choices(Object.keys(STATUSES)).default("completed"),
    )
    .option("--error <text>", "why it failed")
    .option(
      "--from-search <query>",
      "search for this first, and record what is found as the retrieved examples",
    )
    .option("-k, --k <count>", "how many examples --from-search takes", integerOption(1, 1_000), 5)
    .option("--key <key>", "idempotency key: recording it again stores nothing new")
    .addHelpText("after", EXAMPLES)
    .action((options: RecordOptions, command: Command) =>
      run(command, (context) => record(context, options)),
    );
  generations
    .command("list")
    .description("the latest generations, newest first")
    .option("-n, --limit <count>", "how many", integerOption(1, 100_000), 20)
    .addOption(new Option("--status <status>", "only those that ended so").choices(Object.keys(STATUSES)))
    .option("--contains <text>", "only those whose prompt contains this, in any case")
    .option(
      "--since <time>",
      "only those recorded since, e.g. 2026-07-01 or 2026-07-01T12:00:00Z",
      dateOption,
    )
    .action((options: ListOptions, command: Command) => run(command, (context) => list(context, options)));
};

async function record(context: Context, options: RecordOptions): Promise<void> {
  const { terminal } = context;
  const clients = openClients(context);
  const retrieved =
    options.fromSearch === undefined ? [] : await retrieve(clients, options.fromSearch, options.k);
  const reply = await clients.generations.recordGeneration({
    idempotencyKey: options.key ?? randomUUID(),
    generation: fieldsOf(options, retrieved),
  });
  if (!reply.generation) return;
  if (context.json) {
    terminal.json({ ...toPlain(GenerationSchema, reply.generation), existing: reply.existing });
  } else {
    terminal.result(renderGeneration(terminal, reply.generation));
    if (reply.existing) terminal.note(" it was recorded before under this key; nothing was stored");
  }
}

type GenerationInit = MessageInitShape<typeof GenerationFieldsSchema>;
type ExampleInit = MessageInitShape<typeof RetrievedExampleSchema>;

export function fieldsOf(options: RecordOptions, retrievedExamples: ExampleInit[]): GenerationInit {
  return {
    prompt: options.prompt,
    augmentedPrompt: options.augmentedPrompt ?? "",
    outputPath: options.output ?? "",
    status: STATUSES[options.status],
    errorMessage: options.error ?? "",
    retrievedExamples,
    ...(options.seed !== undefined && { seed: BigInt(options.seed) }),
    ...(options.steps !== undefined && { numInferenceSteps: options.steps }),
    ...(options.guidance !== undefined && { guidanceScale: options.guidance }),
    ...(options.timeMs !== undefined && { generationTimeMs: options.timeMs }),
    ...(options.memoryMb !== undefined && { memoryUsageMb: options.memoryMb }),
    ...(options.model !== undefined && { modelConfig: options.model }),
  };
}

async function retrieve(clients: Pick<Clients, "search">, query: string, k: number): Promise<ExampleInit[]> {
  const { hits } = await clients.search.search({ query: { case: "text", value: query }, k });
  return hits.map((hit) => ({
    imageId: hit.image?.id ?? 0n,
    imagePath: hit.image?.imagePath ?? "",
    caption: captionOf(hit),
    similarity: hit.similarity,
  }));
}

async function list(context: Context, options: ListOptions): Promise<void> {
  const { terminal } = context;
  const { generations } = openClients(context);
  const found: Generation[] = [];
  let pageToken = "";
  do {
    const page = await generations.listGenerations({
      pageSize: Math.min(options.limit - found.length, 1_000),
      pageToken,
      promptContains: options.contains ?? "",
      ...(options.status && { status: STATUSES[options.status] }),
      ...(options.since && { createdAfter: timestampFromDate(options.since) }),
    });
    found.push(...page.generations);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && found.length < options.limit);
  if (context.json)
    terminal.json({ generations: found.map((generation) => toPlain(GenerationSchema, generation)) });
  else if (found.length === 0) terminal.result(" no generation is recorded that matches");
  else terminal.result(renderGenerations(terminal, found));
}

function renderGenerations(terminal: Terminal, generations: readonly Generation[]): string {
  return renderTable(
    terminal,
    [
      { title: "id", align: "right" },
      { title: "when" },
      { title: "status" },
      { title: "time", align: "right" },
      { title: "examples", align: "right" },
      { title: "prompt", shrinks: true },
    ],
    generations.map((generation) => [
      String(generation.id),
      timeOf(generation),
      statusName(generation.status),
      generation.generationTimeMs === undefined ? "" : formatMs(generation.generationTimeMs),
      String(generation.retrievedExamples.length),
      generation.prompt,
    ]),
  );
}

function renderGeneration(terminal: Terminal, generation: Generation): string {
  const optional: [string, string | undefined][] = [
    ["took", generation.generationTimeMs === undefined ? undefined : formatMs(generation.generationTimeMs)],
    ["seed", generation.seed?.toString()],
    ["steps", generation.numInferenceSteps?.toString()],
    ["output", generation.outputPath || undefined],
    ["error", generation.errorMessage || undefined],
    ["examples", generation.retrievedExamples.map((example) => example.imagePath).join(", ") || undefined],
  ];
  return renderPairs(terminal, [
    ["id", String(generation.id)],
    ["recorded", timeOf(generation)],
    ["prompt", generation.prompt],
    ["status", statusName(generation.status)],
    ...optional.flatMap(([name, value]): Pair[] => (value === undefined ? [] : [[name, value]])),
  ]);
}

/** Local time, to the second. */
function timeOf({ createdAt }: Generation): string {
  return createdAt ? timestampDate(createdAt).toLocaleString("sv-SE") : "";
}

function statusName(status: GenerationStatus): string {
  return Object.entries(STATUSES).find(([, value]) => value === status)?.[0] ?? "unknown";
}
