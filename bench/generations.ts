// Lists of the newest 50 among a million generations under every filter and in every order, counts, figures and exports, through gRPC.
// usage: node bench/generations.ts [--rows 1000000] [--repeats 20] [--database URL] [--only NAME]
// Filters by parts of texts want pg_trgm, which the database that Kindred brings along has not: --database names an empty one that has it.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { parseArgs } from "node:util";
import {
  ExportFormat,
  GenerationSortKey,
  GenerationStatus,
  OutputState,
  ReportInterval,
  type GenerationFilterSchema,
  type ListGenerationsRequestSchema,
} from "@kindred/contracts/generation-tracking/v1";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { median, percentile } from "./statistics.ts";
import { fillGenerations, startGenerations, type RunningGenerations } from "./support/generation-service.ts";
import { secondsOf } from "./support/rounds.ts";

const { values: options } = parseArgs({
  options: {
    rows: { type: "string", default: "1000000" },
    repeats: { type: "string", default: "20" },
    database: { type: "string" },
    /** Only cases whose name contains this. */
    only: { type: "string", default: "" },
  },
});

const GOAL_MS = 20;
const DAY_MS = 86_400_000;
const rows = Number(options.rows);
const repeats = Number(options.repeats);

type Filter = MessageInitShape<typeof GenerationFilterSchema>;
type Request = MessageInitShape<typeof ListGenerationsRequestSchema>;

const text = (value: string) => ({ kind: { case: "stringValue" as const, value } });
const ago = (days: number) => timestampFromMs(Date.now() - days * DAY_MS);

/** Each filter with a value that many rows have and with one that few have. */
const FILTERS: readonly [string, Filter][] = [
  ["none", {}],
  ["status: 90 %", { status: [GenerationStatus.COMPLETED] }],
  ["status: 0.01 %", { status: [GenerationStatus.CANCELLED] }],
  ["status: two", { status: [GenerationStatus.FAILED, GenerationStatus.CANCELLED] }],
  ["prompt_contains: many", { promptContains: "word1" }],
  ["prompt_contains: 0.01 %", { promptContains: "kangaroo" }],
  ["prompt_contains: nothing", { promptContains: "zebra crossing" }],
  ["prompt_words: many", { promptWords: "word1" }],
  ["prompt_words: 1 %", { promptWords: "word400" }],
  ["prompt_words: 0.01 %", { promptWords: "kangaroo" }],
  ["created_before: half a year ago", { createdBefore: ago(180) }],
  ["created_after: a day ago", { createdAfter: ago(1) }],
  ["model_name: 34 %", { modelName: ["model-0"] }],
  ["model_name: 1 %", { modelName: ["model-24"] }],
  ["model_name: 0.01 %", { modelName: ["model-29"] }],
  ["model_name: two", { modelName: ["model-24", "model-29"] }],
  ["model_hash: 0.01 %", { modelHash: ["hash-29"] }],
  ["sampler: 33 %", { sampler: ["ddim"] }],
  ["sampler: 0.01 %", { sampler: ["lms"] }],
  ["session_id", { sessionId: "session-100" }],
  ["batch_id", { batchId: "batch-1000" }],
  ["parent_id", { parentId: 1000n }],
  ["labels: 10 %", { labels: ["favourite"] }],
  ["labels: 0.01 %", { labels: ["rare"] }],
  ["rating: 5", { rating: { min: 5, max: 5 } }],
  ["rating: 3 and more", { rating: { min: 3 } }],
  ["rating: 0.005 %", { rating: { max: 1 } }],
  ["seed", { seed: 17n }],
  ["num_inference_steps: many", { numInferenceSteps: { min: 25 } }],
  ["num_inference_steps: 0.01 %", { numInferenceSteps: { max: 10 } }],
  ["guidance_scale: many", { guidanceScale: { min: 7 } }],
  ["guidance_scale: 0.01 %", { guidanceScale: { max: 2 } }],
  ["generation_time_ms: 50 %", { generationTimeMs: { min: 1562 } }],
  ["generation_time_ms: 1 %", { generationTimeMs: { min: 9647 } }],
  ["generation_time_ms: 0.01 %", { generationTimeMs: { min: 9997 } }],
  ["memory_usage_mb: 50 %", { memoryUsageMb: { min: 5000 } }],
  ["memory_usage_mb: 1 %", { memoryUsageMb: { max: 2060 } }],
  ["width: 0.01 %", { width: { min: 2000 } }],
  ["height: 67 %", { height: { min: 768 } }],
  ["model_config: 50 %", { modelConfig: [{ path: ["scheduler", "name"], equals: text("ddim") }] }],
  ["model_config: 2 %", { modelConfig: [{ path: ["loras"], equals: text("style-7") }] }],
  ["model_config: 0.01 %", { modelConfig: [{ path: ["scheduler", "name"], equals: text("lcm") }] }],
  ["model_config: path, all", { modelConfig: [{ path: ["scheduler", "name"] }] }],
  ["model_config: path, 0.01 %", { modelConfig: [{ path: ["controlnet", "scale"] }] }],
  ["output_path_prefix: 10 %", { outputPathPrefix: "/media/1/" }],
  ["output_path_prefix: few", { outputPathPrefix: "/media/0/1234" }],
  ["error_contains: many", { errorContains: "memory" }],
  ["error_contains: 0.001 %", { errorContains: "latents" }],
  ["image_id: 8 %", { imageId: 1n }],
  ["image_id: few", { imageId: 19_000n }],
  ["negative_prompt_contains: many", { negativePromptContains: "blurry" }],
  ["negative_prompt_contains: 0.005 %", { negativePromptContains: "watermark" }],
  ["output_state: 0.01 %", { outputState: OutputState.MISSING }],
  ["output_state: 45 %", { outputState: OutputState.KEPT }],
];

const KEYS = {
  created_at: GenerationSortKey.CREATED_AT,
  generation_time_ms: GenerationSortKey.GENERATION_TIME,
  memory_usage_mb: GenerationSortKey.MEMORY_USAGE,
  rating: GenerationSortKey.RATING,
};

const LISTS: readonly [string, Request][] = [
  ...FILTERS.map(([name, filter]): [string, Request] => [name, { filter }]),
  ...Object.entries(KEYS).flatMap(([name, key]): [string, Request][] => [
    [`order: ${name}, greatest first`, { order: { key } }],
    [`order: ${name}, least first`, { order: { key, ascending: true } }],
  ]),
];

function line(...cells: (string | number)[]): void {
  const [name, ...numbers] = cells;
  const shown = numbers.map((value) => (typeof value === "number" ? value.toFixed(1) : value).padStart(12));
  console.log(`${String(name).padEnd(42)}${shown.join("")}`);
}

async function measureLists({ client }: RunningGenerations): Promise<void> {
  line("list of 50", "rows", "p50 ms", "p95 ms", "page 2 ms", "goal");
  for (const [name, request] of LISTS.filter(([each]) => each.includes(options.only))) {
    const first = await client.listGenerations(request);
    const times: number[] = [];
    const later: number[] = [];
    for (let i = 0; i < repeats; i++) {
      times.push(1000 * (await secondsOf(() => client.listGenerations(request))));
      if (first.nextPageToken !== "")
        later.push(
          1000 *
            (await secondsOf(() => client.listGenerations({ ...request, pageToken: first.nextPageToken }))),
        );
    }
    const p50 = median(times);
    line(
      name,
      String(first.generations.length),
      p50,
      percentile(times, 0.95),
      later.length === 0 ? "-" : median(later),
      p50 < GOAL_MS ? "met" : "MISSED",
    );
  }
}

async function measureFigures({ client }: RunningGenerations): Promise<void> {
  const cases: [string, () => Promise<unknown>][] = [
    ["CountGenerations, all", () => client.countGenerations({})],
    [
      "CountGenerations, a model of 34 %",
      () => client.countGenerations({ filter: { modelName: ["model-0"] } }),
    ],
    ["CountGenerations, at most 10,000", () => client.countGenerations({ limit: 10_000n })],
    ["GetStatistics", () => client.getStatistics({})],
    ["GetReport, no spans", () => client.getReport({})],
    ["GetReport, days", () => client.getReport({ interval: ReportInterval.DAY, timeZone: "Europe/Berlin" })],
    [
      "GetReport, hours of 30 days",
      () => client.getReport({ interval: ReportInterval.HOUR, filter: { createdAfter: ago(30) } }),
    ],
  ];
  console.log();
  line("figures", "p50 ms");
  for (const [name, call] of cases) {
    const times: number[] = [];
    for (let i = 0; i < Math.min(repeats, 5); i++) times.push(1000 * (await secondsOf(call)));
    line(name, median(times));
  }
}

async function measureExports({ client }: RunningGenerations): Promise<void> {
  console.log();
  line("export", "rows", "MB", "seconds", "rows/s");
  for (const name of ["JSONL", "CSV", "PARQUET"] as const) {
    const format = ExportFormat[name];
    let [bytes, count] = [0, 0n];
    const seconds = await secondsOf(async () => {
      for await (const part of client.exportGenerations({ format, filter: { createdAfter: ago(30) } })) {
        bytes += part.data.length;
        count = part.rows;
      }
    });
    line(name, String(count), bytes / 1e6, seconds, (Number(count) / seconds).toFixed(0));
  }
}

await using running = await startGenerations(options.database);
console.log(running.database);
const { rowsS, indexesS } = await fillGenerations(running, rows);
// Every tenth file, somebody has looked for: half are there, some are missing.
await running.sql.query(
  "UPDATE generation_outputs SET state = CASE WHEN generation_id % 10000 = 1 THEN 'missing' ELSE 'kept' END WHERE generation_id % 2 = 1",
);
await running.sql.query("VACUUM ANALYZE generation_outputs");
const { rows: sizes } = await running.sql.query<{ table: string; indexes: string; trigrams: boolean }>(
  `SELECT pg_size_pretty(pg_table_size('generations')) AS table, pg_size_pretty(pg_indexes_size('generations')) AS indexes,
          EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm') AS trigrams`,
);
console.log(
  `${rows} rows in ${rowsS.toFixed(0)} s, indexes in ${indexesS.toFixed(0)} s; table ${sizes[0]?.table}, indexes ${sizes[0]?.indexes}; ${sizes[0]?.trigrams ? "with" : "without"} pg_trgm\n`,
);
await measureLists(running);
if (options.only === "") {
  await measureFigures(running);
  await measureExports(running);
}
