// Many clients at once, each with a connection of its own: is every answer right, and is a refusal the only error?
//   node bench/concurrency.ts [--clients 256] [--seconds 30] [--processes 2] [--precision fp32] [--texts FILE]
// First with the service's own limits, then with tight ones, where clients are refused and wait as they are told. Exits with 1 when an
// answer was wrong, or an error was none of RESOURCE_EXHAUSTED. See bench/README.md.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Priority } from "@kindred/contracts/embedding/v1";
import { unpackVectors } from "@kindred/rpc";
import { percentile } from "./statistics.ts";
import { mergeReports, runCrowd, type CrowdReport } from "./support/client-crowd.ts";
import { startEmbedding, type Precision } from "./support/service.ts";
import { loadTexts } from "./support/texts.ts";

const { values: options } = parseArgs({
  options: {
    clients: { type: "string", default: "256" },
    seconds: { type: "string", default: "30" },
    processes: { type: "string", default: "2" },
    precision: { type: "string", default: "fp32" },
    texts: { type: "string" },
  },
});
const [clients, seconds, processes] = [options.clients, options.seconds, options.processes].map(Number) as [
  number,
  number,
  number,
];
/** Above it the clients' own loop is what limits, and their latencies are partly theirs. */
const BUSY_LOOP = 0.8;

const PHASES: Record<string, Record<string, string>> = {
  "the service's own limits, no cache": { EMBEDDING_CACHE_BYTES: "0" },
  "tight limits, 2,048 waiting tokens and 128 calls; cache": {
    EMBEDDING_MAX_QUEUE_TOKENS: "2048",
    EMBEDDING_MAX_CONCURRENT_REQUESTS: "128",
  },
};

const { texts, origin } = loadTexts({ file: options.texts });
const folder = await mkdtemp(join(tmpdir(), "kindred-bench-"));
try {
  for (const [phase, env] of Object.entries(PHASES)) await runPhase(phase, env);
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function runPhase(phase: string, env: Record<string, string>): Promise<void> {
  await using service = await startEmbedding(options.precision as Precision, { env });
  const reply = await service.client.embed({ texts, priority: Priority.BULK });
  const dimensions = reply.space?.dimensions as number;
  const vectors = unpackVectors(reply.vectors, dimensions);
  const references = join(folder, "references.f32");
  await writeFile(references, new Uint8Array(vectors.buffer, vectors.byteOffset, vectors.byteLength));

  const setup = { address: service.address, clients, seconds, seed: 1, texts, references, dimensions };
  const report = mergeReports(await runCrowd(setup, processes, folder));
  print(phase, report);
  if (report.wrong > 0 || report.withoutDelay > 0 || Object.keys(report.errors).length > 0) {
    process.exitCode = 1;
  }
}

function print(phase: string, report: CrowdReport): void {
  const spread = (values: readonly number[]) =>
    values.length === 0
      ? "none"
      : ["p50", "p90", "p99"]
          .map((name) => `${name} ${percentile(values, Number(name.slice(1)) / 100).toFixed(0)} ms`)
          .join(", ");
  console.log(`\n${phase}: ${clients} clients, ${options.precision}, ${origin}`);
  console.log(
    `  answered   ${report.calls} calls, ${report.texts} texts (${report.cachedTexts} from the cache), ` +
      `${(report.calls / report.seconds).toFixed(0)} calls/s, ${(report.texts / report.seconds).toFixed(0)} texts/s`,
  );
  console.log(`  wrong      ${report.wrong} vectors; worst cosine ${report.worstCosine.toFixed(7)}`);
  console.log(`  latency    ${spread(report.latencies)}`);
  console.log(`  refused    ${report.refusals.length} calls; after ${spread(report.refusals)}`);
  console.log(`  told       to wait ${spread(report.delays)}; without a delay: ${report.withoutDelay}`);
  console.log(`  errors     ${JSON.stringify(report.errors)}`);
  const busy = report.loopUtilization > BUSY_LOOP ? ": the clients limit; try more --processes" : "";
  console.log(
    `  clients    ${report.cores.toFixed(2)} cores, event loop at most ${(100 * report.loopUtilization).toFixed(0)} % busy${busy}`,
  );
}
