// Many clients in one process: node support/client-process.ts SETUP.json      prints a CrowdReport; see client-crowd.ts
import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { EmbeddingService, Priority } from "@kindred/contracts/embedding/v1";
import { RetryInfoSchema } from "@kindred/contracts/google-rpc";
import { unpackVectors } from "@kindred/rpc";
import type { CrowdReport, CrowdSetup } from "./client-crowd.ts";
import { randomNumbers } from "./texts.ts";
import { cosines } from "./vectors.ts";

/** A vector depends on its text alone, but for the last digits. */
const SAME = 0.999_99;
const CALL_TIMEOUT_MS = 120_000;
const SMALL_CALL = 8;
/** One call in so many is larger. */
const LARGE_EVERY = 50;
const LARGE_CALL = 64;
const BULK_SHARE = 0.25;
/** Those who were told the same time do not come back at the same moment. */
const JITTER = 0.5;

const setup = JSON.parse(readFileSync(process.argv[2] as string, "utf8")) as CrowdSetup;
const { texts, dimensions } = setup;
const file = readFileSync(setup.references);
const references = new Float32Array(file.buffer, file.byteOffset, file.byteLength / 4);

const latencies: number[] = [];
const refusals: number[] = [];
const delays: number[] = [];
const errors: Record<string, number> = {};
let [answeredTexts, cachedTexts, wrong, withoutDelay, worstCosine] = [0, 0, 0, 0, 1];

function check(chosen: readonly number[], vectors: Float32Array): void {
  const expected = new Float32Array(chosen.length * dimensions);
  for (const [row, text] of chosen.entries()) {
    expected.set(references.subarray(text * dimensions, (text + 1) * dimensions), row * dimensions);
  }
  if (vectors.length !== expected.length) {
    wrong += chosen.length;
    return;
  }
  for (const cosine of cosines(vectors, expected, dimensions)) {
    worstCosine = Math.min(worstCosine, cosine);
    if (!(cosine >= SAME)) wrong++;
  }
}

/** @returns how long to wait before the next call, in milliseconds. */
function failed(error: ConnectError, tookMs: number): number {
  if (error.code !== Code.ResourceExhausted) {
    const message = `${Code[error.code]}: ${error.rawMessage}`;
    errors[message] = (errors[message] ?? 0) + 1;
    return 100;
  }
  refusals.push(tookMs);
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  if (delay === undefined) {
    withoutDelay++;
    return 100;
  }
  const ms = Number(delay.seconds) * 1000 + delay.nanos / 1e6;
  delays.push(ms);
  return ms;
}

async function runClient(seed: number, until: number): Promise<void> {
  const random = randomNumbers(seed);
  const client = createClient(
    EmbeddingService,
    createGrpcTransport({ baseUrl: `http://${setup.address}`, defaultTimeoutMs: CALL_TIMEOUT_MS }),
  );
  while (performance.now() < until) {
    const count = random() * LARGE_EVERY < 1 ? LARGE_CALL : 1 + Math.floor(random() * SMALL_CALL);
    const chosen = Array.from({ length: count }, () => Math.floor(random() * texts.length));
    const priority = random() < BULK_SHARE ? Priority.BULK : Priority.INTERACTIVE;
    const startedAt = performance.now();
    try {
      const reply = await client.embed({ texts: chosen.map((i) => texts[i] as string), priority });
      latencies.push(performance.now() - startedAt);
      answeredTexts += count;
      cachedTexts += reply.cachedTexts;
      check(chosen, unpackVectors(reply.vectors, dimensions));
    } catch (error) {
      const waitMs = failed(ConnectError.from(error), performance.now() - startedAt);
      await sleep(waitMs * (1 + JITTER * random()));
    }
  }
}

const startedAt = performance.now();
const loop = performance.eventLoopUtilization();
const cpu = process.cpuUsage();
const until = startedAt + setup.seconds * 1000;
await Promise.all(
  Array.from({ length: setup.clients }, (_, i) => runClient(setup.seed * 100_003 + i, until)),
);
const seconds = (performance.now() - startedAt) / 1000;
const used = process.cpuUsage(cpu);
const report: CrowdReport = {
  calls: latencies.length,
  texts: answeredTexts,
  cachedTexts,
  wrong,
  worstCosine,
  latencies,
  refusals,
  delays,
  withoutDelay,
  errors,
  loopUtilization: performance.eventLoopUtilization(loop).utilization,
  cores: (used.user + used.system) / 1e6 / seconds,
  seconds,
};
process.stdout.write(JSON.stringify(report), () => {
  // The connections are kept for calls that will not come.
  process.exit();
});
