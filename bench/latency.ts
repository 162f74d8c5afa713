// How long one text takes when the service has nothing else to do, and while somebody embeds in bulk; and how soon health answers.
//   node bench/latency.ts [--rounds 5] [--samples 200] [--precision fp32|int8] [--texts FILE]
// Idle and busy phases take turns; every text is sent once only, so that no cache answers. See bench/README.md.
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Priority } from "@kindred/contracts/embedding/v1";
import { median, percentile } from "./statistics.ts";
import { openBulkJob, type BulkReport } from "./support/bulk-job.ts";
import { secondsOf } from "./support/rounds.ts";
import { PRECISIONS, startEmbedding, type Precision, type RunningEmbedding } from "./support/service.ts";
import { loadTexts, randomNumbers } from "./support/texts.ts";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    samples: { type: "string", default: "200" },
    precision: { type: "string" },
    texts: { type: "string" },
  },
});
const rounds = Number(options.rounds);
const samples = Number(options.samples);
const { texts, origin } = loadTexts({ file: options.texts });
/** Between two texts, at most: people do not search in step with the service's batches. */
const PAUSE_MS = 20;
const WARM_UP_SAMPLES = 30;
const WANTED = 3;

const random = randomNumbers(1);
let serial = 0;

interface Latencies {
  /** Milliseconds. */
  readonly embed: number[];
  readonly health: number[];
}

/** One text after the other, and a health check after each. */
async function measure(service: RunningEmbedding, count: number): Promise<Latencies> {
  const latencies: Latencies = { embed: [], health: [] };
  for (let i = 0; i < count; i++) {
    await sleep(random() * PAUSE_MS);
    const text = `${texts[serial % texts.length]} (${serial++})`;
    const embedS = await secondsOf(async () => {
      const { cachedTexts } = await service.client.embed({ texts: [text], priority: Priority.INTERACTIVE });
      if (cachedTexts > 0) throw new Error("a text was answered from the cache");
    });
    latencies.embed.push(1000 * embedS);
    latencies.health.push(1000 * (await secondsOf(() => service.health.check({}))));
  }
  return latencies;
}

function row(what: string, phases: readonly number[][]): Record<string, string> {
  const all = phases.flat();
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  return {
    what,
    p50: ms(percentile(all, 0.5)),
    p90: ms(percentile(all, 0.9)),
    p99: ms(percentile(all, 0.99)),
    worst: ms(Math.max(...all)),
    "p99 of the rounds": phases.map((phase) => percentile(phase, 0.99).toFixed(1)).join(", "),
  };
}

function printRatio(
  what: string,
  idle: readonly number[][],
  busy: readonly number[][],
  wanted: string,
): void {
  const ratio = (p: number) => percentile(busy.flat(), p) / percentile(idle.flat(), p);
  const byRound = busy.map((phase, i) => percentile(phase, 0.99) / percentile(idle[i] as number[], 0.99));
  console.log(
    `${what}, busy / idle: p50 ${ratio(0.5).toFixed(2)}, p99 ${ratio(0.99).toFixed(2)}${wanted}; ` +
      `p99 of a round: median ${median(byRound).toFixed(2)} (${Math.min(...byRound).toFixed(2)} to ${Math.max(...byRound).toFixed(2)})`,
  );
}

for (const precision of PRECISIONS) {
  if (options.precision !== undefined && options.precision !== precision) continue;
  await measurePrecision(precision);
}

async function measurePrecision(precision: Precision): Promise<void> {
  await using service = await startEmbedding(precision);
  await using bulk = openBulkJob({ address: service.address, texts });
  await bulk.start();
  await measure(service, WARM_UP_SAMPLES);
  await bulk.stop();
  await measure(service, WARM_UP_SAMPLES);

  const idle: Latencies[] = [];
  const busy: Latencies[] = [];
  const jobs: BulkReport[] = [];
  const phases = [
    async () => {
      idle.push(await measure(service, samples));
    },
    async () => {
      await bulk.start();
      busy.push(await measure(service, samples));
      jobs.push(await bulk.stop());
    },
  ];
  for (let round = 0; round < rounds; round++) {
    for (const phase of round % 2 === 0 ? phases : phases.toReversed()) await phase();
  }

  const of = (latencies: readonly Latencies[], what: keyof Latencies) =>
    latencies.map((phase) => phase[what]);
  const rates = jobs.map((job) => job.texts / job.seconds);
  console.log(
    `\n${precision}: ${rounds} rounds of ${samples} single texts idle and as many while a bulk job runs (${origin}); ` +
      `the job got ${median(rates).toFixed(0)} sentences/s meanwhile`,
  );
  console.table([
    row("one text, idle", of(idle, "embed")),
    row("one text, busy", of(busy, "embed")),
    row("health, idle", of(idle, "health")),
    row("health, busy", of(busy, "health")),
  ]);
  printRatio("one text", of(idle, "embed"), of(busy, "embed"), ` (at most ${WANTED} wanted)`);
  printRatio("health", of(idle, "health"), of(busy, "health"), "");
}
