// Memory of the service under mixed traffic: does it stay where it is?
//   node bench/soak.ts [--minutes 5] [--precision fp32|int8]      needs /proc (Linux)
// The traffic is as dense as the service takes it, so that minutes stand for the half hours of a usual day; see bench/README.md.
// Exits with 1 when memory is not flat, or a call failed with anything else than RESOURCE_EXHAUSTED.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { residentMemory, trendOf, type ResidentMemory } from "./support/memory-samples.ts";
import { runTraffic, wordsOfOneToken, type TrafficReport } from "./support/mixed-traffic.ts";
import { hasStream } from "./support/grpc-contestants.ts";
import { startEmbedding, type Precision, type RunningEmbedding } from "./support/service.ts";
import { loadTexts } from "./support/texts.ts";

const { values: options } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    precision: { type: "string", default: "fp32" },
  },
});
const seconds = Number(options.minutes) * 60;
/** Share of the time in which caches fill and arenas grow to the largest batch; it does not count. */
const WARM_UP = 0.25;
/** Growth after the warm-up, by the fitted line, that still is flat. */
const FLAT = 0.02;
const SAMPLE_MS = 1000;
const MIB = 2 ** 20;

/** `at` in milliseconds since the epoch. */
type At<T> = T & { readonly at: number };

const folder = await mkdtemp(join(tmpdir(), "kindred-bench-"));
try {
  await soak(join(folder, "memory.jsonl"));
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function soak(probe: string): Promise<void> {
  await writeFile(probe, "");
  await using service = await startEmbedding(options.precision as Precision, {
    nodeArgs: ["--import", new URL("support/memory-probe.ts", import.meta.url).href],
    // Small, so that it is full before the warm-up ends and vectors come and go from then on.
    env: { KINDRED_MEMORY_PROBE: probe, EMBEDDING_CACHE_BYTES: "4MiB" },
  });
  const words = await wordsOfOneToken(service, loadTexts().texts);
  const stream = await hasStream(service);
  const startedAt = Date.now();
  const resident: At<ResidentMemory>[] = [];
  const sampling = setInterval(() => {
    resident.push({ at: Date.now(), ...residentMemory(service.pid) });
  }, SAMPLE_MS);
  let report: TrafficReport;
  try {
    report = await runTraffic(service, { words, seconds, stream, seed: 1 });
  } finally {
    clearInterval(sampling);
  }
  const inside = (await readFile(probe, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as At<NodeJS.MemoryUsage>);
  printTraffic(report, stream);
  const warm = startedAt + WARM_UP * seconds * 1000;
  printMemory(
    resident.filter(({ at }) => at >= warm),
    inside.filter(({ at }) => at >= warm),
    service,
  );
  if (Object.keys(report.errors).length > 0) process.exitCode = 1;
}

function printTraffic(report: TrafficReport, stream: boolean): void {
  const { calls, texts, tokens, cachedTexts, cancelled, refused, errors } = report;
  console.log(
    `${options.precision}, ${options.minutes} minutes: ${calls} calls${stream ? "" : " (the service has no EmbedStream)"}, ${texts} texts ` +
      `(${cachedTexts} from the cache), ${tokens} tokens; ${cancelled} calls cancelled, ${refused} refused, errors ${JSON.stringify(errors)}`,
  );
  console.log(
    `as much as half an hour with ${(texts / 1800).toFixed(1)} texts and ${(tokens / 1800).toFixed(0)} tokens a second`,
  );
}

function printMemory(
  resident: readonly At<ResidentMemory>[],
  inside: readonly At<NodeJS.MemoryUsage>[],
  { info }: RunningEmbedding,
): void {
  const of = <S extends { at: number }>(samples: readonly S[], value: (sample: S) => number | undefined) =>
    samples.flatMap((sample) => {
      const found = value(sample);
      return found === undefined ? [] : [{ at: sample.at, value: found }];
    });
  const series = {
    RSS: trendOf(
      of(resident, ({ rss }) => rss),
      "median",
    ),
    "RSS, anonymous": trendOf(
      of(resident, ({ rssAnon }) => rssAnon),
      "median",
    ),
    "heap used, main thread": trendOf(
      of(inside, ({ heapUsed }) => heapUsed),
      "lowest",
    ),
    external: trendOf(
      of(inside, ({ external }) => external),
      "lowest",
    ),
    "array buffers": trendOf(
      of(inside, ({ arrayBuffers }) => arrayBuffers),
      "lowest",
    ),
  };
  console.log(
    `after a warm-up of ${WARM_UP * 100} % of the time, ${resident.length} samples; ${info.workers} sessions`,
  );
  console.table(
    Object.entries(series).map(([what, { level, slope, low, high, growth }]) => ({
      what,
      "level, MiB": (level / MIB).toFixed(1),
      "slope, MiB a minute": ((60 * slope) / MIB).toFixed(3),
      "95 % interval": [low, high].map((value) => ((60 * value) / MIB).toFixed(3)).join(" to "),
      growth: `${(100 * growth).toFixed(2)} %`,
    })),
  );
  const flat = series.RSS.growth <= FLAT;
  console.log(
    `RSS is ${flat ? "flat" : "not flat"}: ${(100 * series.RSS.growth).toFixed(2)} % of growth, at most ${100 * FLAT} % count as flat`,
  );
  if (!flat) process.exitCode = 1;
}
