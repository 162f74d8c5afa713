// Sentences and tokens a second: through the service, with nothing around the model, and by others with the same weights.
//   node bench/embedding.ts [--python PATH] [--rounds 5] [--minutes 8] [--limit TEXTS] [--texts FILE]
// What is compared, and what makes the comparison fair: bench/README.md
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Priority } from "@kindred/contracts/embedding/v1";
import { unpackVectors } from "@kindred/rpc";
import type { BareLoopOptions } from "./support/bare-loop.ts";
import { startCompetitors, type Competitor } from "./support/competitors.ts";
import { startContestant, type ContestantProcess } from "./support/contestant-process.ts";
import { grpcContestants } from "./support/grpc-contestants.ts";
import { printThroughput, type Goal } from "./support/report-throughput.ts";
import { runRounds, type Contestant } from "./support/rounds.ts";
import {
  compiledModel,
  CORES,
  PRECISIONS,
  startEmbedding,
  tokenIds,
  type Precision,
  type RunningEmbedding,
} from "./support/service.ts";
import { loadTexts } from "./support/texts.ts";
import { cosines } from "./support/vectors.ts";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    minutes: { type: "string", default: "8" },
    limit: { type: "string" },
    texts: { type: "string" },
    python: { type: "string" },
  },
});
const startedAt = performance.now();
const { texts, origin } = loadTexts({
  file: options.texts,
  limit: options.limit === undefined ? undefined : Number(options.limit),
});
/** Texts whose vectors are compared before anything is timed. */
const CHECKED = Math.min(texts.length, 200);
const BATCH_SIZES = [8, 16, 32, 64, 128];

await using everything = new AsyncDisposableStack();
const folder = await mkdtemp(join(tmpdir(), "kindred-bench-"));
everything.defer(() => rm(folder, { recursive: true, force: true }));

async function startBare(precision: Precision, service: RunningEmbedding): Promise<ContestantProcess> {
  const setup: BareLoopOptions = {
    modelPath: await compiledModel(service),
    tokenIds: ids,
    maxBatchTokens: service.info.limits?.maxBatchTokens as number,
    workers: CORES,
    intraOpThreads: service.info.threadsPerWorker,
  };
  const path = join(folder, `bare-${precision}.json`);
  await writeFile(path, JSON.stringify(setup));
  const script = fileURLToPath(new URL("support/bare-process.ts", import.meta.url));
  return await startContestant(process.execPath, ["--disable-warning=ExperimentalWarning", script, path]);
}

/** Mean and worst cosine to the reference. @throws Error when the same arithmetic gave something else. */
function compare(name: string, vectors: Float32Array, reference: Float32Array, atLeast: number): void {
  const found = cosines(vectors, reference, reference.length / CHECKED);
  const [mean, worst] = [found.reduce((sum, cosine) => sum + cosine, 0) / found.length, Math.min(...found)];
  console.log(`  ${name.padEnd(44)} mean ${mean.toFixed(7)}  worst ${worst.toFixed(7)}`);
  if (!(worst >= atLeast)) throw new Error(`${name} gives other vectors: worst cosine ${worst}`);
}

async function throughGrpc({ client }: RunningEmbedding): Promise<Float32Array> {
  const { vectors, space } = await client.embed({ texts: texts.slice(0, CHECKED), priority: Priority.BULK });
  return unpackVectors(vectors, space?.dimensions as number);
}

/** By the faster of two runs each: whatever else the machine does makes runs slower, never faster. */
async function bestBatchSize(torch: ContestantProcess): Promise<number> {
  const fastest = new Map<number, number>();
  for (const size of [...BATCH_SIZES, ...BATCH_SIZES.toReversed()]) {
    const took = await torch.run(`encode:${size}`);
    fastest.set(size, Math.min(took, fastest.get(size) ?? Infinity));
  }
  return ([...fastest].toSorted(([, a], [, b]) => a - b)[0] as [number, number])[0];
}

const services = {
  fp32: everything.use(await startEmbedding("fp32")),
  int8: everything.use(await startEmbedding("int8")),
};
const ids = await tokenIds(services.fp32, texts);
const tokens = ids.reduce((sum, { length }) => sum + length, 0);
const bare = {
  fp32: everything.use(await startBare("fp32", services.fp32)),
  int8: everything.use(await startBare("int8", services.int8)),
};
const competitors = everything.use(
  await startCompetitors({
    folder,
    weightsSha256: services.fp32.info.weightsSha256,
    texts,
    threads: CORES,
    python: options.python,
  }),
);
const running = (competitor: Competitor) => ("process" in competitor ? competitor.process : undefined);
const sentenceTransformers = running(competitors.sentenceTransformers);
const transformersJs = running(competitors.transformersJs);

console.log(`${origin}, ${tokens} tokens; ${CORES} cores for everybody`);
for (const [name, competitor] of Object.entries(competitors)) {
  if ("skipped" in competitor) console.log(`${name} skipped: ${competitor.skipped}`);
  else console.log(`${name}: ${JSON.stringify(competitor.process.facts)}`);
}

console.log(`\ncosines of ${CHECKED} texts' vectors to those of fp32 in the bare loop`);
const reference = await bare.fp32.vectors(CHECKED);
compare("fp32 through gRPC", await throughGrpc(services.fp32), reference, 0.999_99);
if (sentenceTransformers !== undefined)
  compare("sentence-transformers", await sentenceTransformers.vectors(CHECKED), reference, 0.999_99);
if (transformersJs !== undefined) {
  compare("transformers.js", await transformersJs.vectors(CHECKED), reference, 0.999_99);
}
const reference8 = await bare.int8.vectors(CHECKED);
compare("int8 in the bare loop", reference8, reference, 0.9);
console.log("to those of int8 in the bare loop");
compare("int8 through gRPC", await throughGrpc(services.int8), reference8, 0.9999);

const contestants: Contestant[] = [];
for (const precision of PRECISIONS) {
  contestants.push({ name: `${precision}, bare loop`, run: () => bare[precision].run("") });
  const grpc = await grpcContestants(services[precision], texts);
  for (const { name, run } of grpc.contestants) contestants.push({ name: `${precision}, ${name}`, run });
  for (const missing of grpc.missing) console.log(`${precision}: ${missing}`);
}
if (transformersJs !== undefined) {
  contestants.push(
    { name: "transformers.js, batches of 32", run: () => transformersJs.run("plain") },
    { name: "transformers.js, sorted, batches of 32", run: () => transformersJs.run("sorted") },
  );
}
if (sentenceTransformers !== undefined) {
  const best = await bestBatchSize(sentenceTransformers);
  for (const size of new Set([32, best])) {
    contestants.push({
      name: `sentence-transformers, batch_size ${size}`,
      run: () => sentenceTransformers.run(`encode:${size}`),
    });
  }
}

const spentS = (performance.now() - startedAt) / 1000;
const seconds = await runRounds(contestants, {
  rounds: Number(options.rounds),
  budgetS: Number(options.minutes) * 60 - spentS,
  onRun: (name, took) => console.error(`${name}: ${(texts.length / took).toFixed(0)} sentences/s`),
});

const goals: Goal[] = [
  ...PRECISIONS.map((precision) => ({
    of: `${precision}, gRPC, one call`,
    to: `${precision}, bare loop`,
    atLeast: 0.9,
  })),
  { of: "int8, gRPC, one call", to: "fp32, gRPC, one call", atLeast: 2 },
  { of: "fp32, gRPC, one call", to: "sentence-transformers", atLeast: 2.3 },
  { of: "int8, gRPC, one call", to: "sentence-transformers", atLeast: 4.5 },
  { of: "fp32, gRPC, one call", to: "transformers.js", atLeast: undefined },
  { of: "int8, gRPC, one call", to: "transformers.js", atLeast: undefined },
];
printThroughput({ seconds, sentences: texts.length, tokens, goals });
