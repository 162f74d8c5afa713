// How fast the embedding service is, and what its layers cost.
//   node bench/embedding.ts [--rounds 5] [--texts FILE]
// Texts: the 3,000 sentences of ../shared/data/stsb-en-dev.csv where they are, else those of FILE (one a line), else made up.
// Every figure is the median of the rounds; what is compared runs in turns, in alternating order, so that a machine that gets slower
// or busier between them does not decide. `in-process` are the same sorted batches of token ids on the same number of
// workers, with nothing around them.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createClient } from "@connectrpc/connect";
import { readEnvironment } from "@kindred/config";
import { EmbeddingService, Priority } from "@kindred/contracts/embedding/v1";
import { Health } from "@kindred/contracts/grpc-health/v1";
import { readConfig } from "@kindred/embedding/config";
import { openModel } from "@kindred/embedding/open-model";
import { superviseProcess } from "@kindred/process";
import { openChannel } from "@kindred/rpc";
import { sharedData, silentLogger } from "@kindred/testing";
import { inProcess } from "./in-process.ts";
import { median } from "./statistics.ts";

const { values: options } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, texts: { type: "string" } },
});
const rounds = Number(options.rounds);

function loadTexts(): { texts: string[]; origin: string } {
  const csv = sharedData("stsb-en-dev.csv");
  if (options.texts !== undefined) {
    return { texts: readFileSync(options.texts, "utf8").split("\n").filter(Boolean), origin: options.texts };
  }
  if (csv === undefined) {
    const texts = Array.from(
      { length: 3000 },
      (_, i) => `Sentence ${i} tells of ${"a long walk ".repeat(1 + (i % 5))}home.`,
    );
    return { texts, origin: "made up" };
  }
  const field = /(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g;
  const texts = readFileSync(csv, "utf8")
    .trim()
    .split("\n")
    .flatMap((line) =>
      [...line.matchAll(field)].slice(0, 2).map(([, quoted, plain]) => quoted ?? plain ?? ""),
    );
  return { texts, origin: "STS-B dev" };
}

function percentile(values: readonly number[], p: number): number {
  return values.toSorted((a, b) => a - b)[
    Math.min(values.length - 1, Math.floor(values.length * p))
  ] as number;
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1000;
}

/** Runs each contestant once a round, in alternating order. @returns the seconds of each, one a round. */
async function compare(
  contestants: Record<string, () => Promise<unknown>>,
): Promise<Record<string, number[]>> {
  const names = Object.keys(contestants);
  const seconds: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
  for (const name of names) await contestants[name]?.();
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      seconds[name]?.push(await secondsOf(contestants[name] as () => Promise<unknown>));
    }
  }
  return seconds;
}

async function openService(precision: string) {
  const service = superviseProcess({
    name: "embedding",
    entry: fileURLToPath(new URL("../services/embedding/src/main.ts", import.meta.url)),
    env: { GRPC_PORT: "0", HTTP_PORT: "0", LOG_LEVEL: "error", EMBEDDING_PRECISION: precision },
    restart: "never",
    onLog: (line) => console.error(line),
    readyTimeoutMs: 600_000,
  });
  const ready = await service.ready;
  const channel = openChannel({
    address: `127.0.0.1:${String(ready["grpcPort"])}`,
    defaultTimeoutMs: 300_000,
  });
  return {
    client: createClient(EmbeddingService, channel.transport),
    health: createClient(Health, channel.transport),
    [Symbol.asyncDispose]: async () => {
      await channel[Symbol.asyncDispose]();
      await service.stop();
    },
  };
}

const { texts, origin } = loadTexts();
const env = readEnvironment();
const throughput: Record<string, number> = {};
const report: Record<string, string>[] = [];

await using services = new AsyncDisposableStack();
const [fp32, int8] = [services.use(await openService("fp32")), services.use(await openService("int8"))];

for (const [precision, service] of [
  ["fp32", fp32],
  ["int8", int8],
] as const) {
  const config = readConfig({ ...env, EMBEDDING_PRECISION: precision });
  await using model = await openModel(config, {
    logger: silentLogger(),
    onAvailable: () => undefined,
    onProgress: () => undefined,
  });
  const batches = await inProcess(model, texts);
  const seconds = await compare({
    "in-process": batches,
    gRPC: () => service.client.embed({ texts, priority: Priority.BULK }),
    "gRPC, 64 a call, 4 calls at once": async () => {
      const calls = Array.from({ length: Math.ceil(texts.length / 64) }, (_, i) =>
        texts.slice(i * 64, (i + 1) * 64),
      ).values();
      const caller = async () => {
        for (const part of calls) await service.client.embed({ texts: part, priority: Priority.BULK });
      };
      await Promise.all(Array.from({ length: 4 }, caller));
    },
  });
  for (const [name, times] of Object.entries(seconds)) {
    const rate = texts.length / median(times);
    throughput[`${precision} ${name}`] = rate;
    const ratios = times.map((time, i) => (seconds["in-process"]?.[i] as number) / time);
    report.push({
      what: `${precision}, ${name}`,
      "sentences/s": rate.toFixed(0),
      "of in-process": `${(100 * median(ratios)).toFixed(1)} %`,
    });
  }
}

const versus = await compare({
  fp32: () => fp32.client.embed({ texts, priority: Priority.BULK }),
  int8: () => int8.client.embed({ texts, priority: Priority.BULK }),
});
const speedUp = median((versus["fp32"] ?? []).map((time, i) => time / (versus["int8"]?.[i] as number)));

console.log(`\n${texts.length} texts (${origin}), ${rounds} rounds, medians`);
console.table(report);
console.log(`int8 is ${speedUp.toFixed(2)} times as fast as fp32`);

for (const [precision, service] of [
  ["fp32", fp32],
  ["int8", int8],
] as const) {
  const single: number[] = [];
  for (let i = 0; i < 200; i++) {
    single.push(
      1000 * (await secondsOf(() => service.client.embed({ texts: [texts[i % texts.length] as string] }))),
    );
  }
  const many = Array.from({ length: 10_000 }, (_, i) => `${texts[i % texts.length] ?? ""} ${i}`);
  const state = { finished: false };
  const bulk = service.client.embed({ texts: many, priority: Priority.BULK }).finally(() => {
    state.finished = true;
  });
  const [health, search]: [number[], number[]] = [[], []];
  while (!state.finished) {
    health.push(1000 * (await secondsOf(() => service.health.check({}))));
    if (health.length % 50 === 0) {
      search.push(1000 * (await secondsOf(() => service.client.embed({ texts: ["a search"] }))));
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await bulk;
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  console.log(
    `${precision}: one text alone p50 ${ms(median(single))}, p99 ${ms(percentile(single, 0.99))}; while 10,000 texts are embedded: ` +
      `health p50 ${ms(median(health))}, p99 ${ms(percentile(health, 0.99))} (${health.length} checks), one text p50 ${ms(median(search))}`,
  );
}
