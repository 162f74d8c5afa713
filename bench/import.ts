// Captions/s from a COCO file to searchable, as a person imports it, against what the model alone does with the same captions.
// usage: node bench/import.ts [--rounds 3] [--precision fp32|int8]      needs ../shared/data/coco_captions_val2017.json
// Each round imports into a new, empty database, and runs the model alone; in turns, in alternating order. Both use all cores.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { createClient } from "@connectrpc/connect";
import { IndexService, SearchService } from "@kindred/contracts/vector-store/v1";
import { openChannel } from "@kindred/rpc";
import { sharedData, startStack } from "@kindred/testing";
import { readCoco } from "./coco.ts";
import { median } from "./statistics.ts";
import { startBareLoop, type BareLoop } from "./support/bare-loop.ts";
import { compiledModel, CORES, startEmbedding, tokenIds, type Precision } from "./support/service.ts";

const { values: options } = parseArgs({
  options: { rounds: { type: "string", default: "3" }, precision: { type: "string", default: "fp32" } },
});
const cli = fileURLToPath(new URL("../apps/cli/src/main.ts", import.meta.url));

/** Seconds from the start of the command to the reply to a search for what was imported last. */
async function importOnce(path: string, captions: number): Promise<number> {
  await using stack = await startStack({
    origin: true,
    env: { EMBEDDING_PRECISION: options.precision, EMBEDDING_WORKERS: String(CORES), LOG_LEVEL: "warn" },
  });
  await using channel = openChannel({ address: stack.addresses["vector-store"] as string });
  const startedAt = performance.now();
  await promisify(execFile)(process.execPath, [
    cli,
    "import",
    "coco",
    path,
    "--url",
    stack.originUrl as string,
    "--json",
  ]);
  await createClient(SearchService, channel.transport).search({ query: { case: "text", value: "a zebra" } });
  const seconds = (performance.now() - startedAt) / 1000;
  const { totalEmbeddings } = await createClient(IndexService, channel.transport).getStatistics({});
  if (totalEmbeddings !== BigInt(captions)) throw new Error(`${totalEmbeddings} embeddings, not ${captions}`);
  return seconds;
}

/** The model alone: see bare-loop.ts. Each caption once, as the service embeds texts that are equal once. */
async function startModel(captions: readonly string[]): Promise<BareLoop> {
  await using service = await startEmbedding(options.precision as Precision);
  return await startBareLoop({
    modelPath: await compiledModel(service),
    tokenIds: await tokenIds(service, [...new Set(captions)]),
    maxBatchTokens: service.info.limits?.maxBatchTokens as number,
    workers: CORES,
    intraOpThreads: service.info.threadsPerWorker,
  });
}

const path = sharedData("coco_captions_val2017.json");
if (path === undefined) {
  console.error("skipped: ../shared/data/coco_captions_val2017.json is not there");
} else {
  const captions = readCoco(path).flatMap((picture) => picture.captions.map(({ text }) => text));
  await using model = await startModel(captions);

  const rates = { import: [] as number[], model: [] as number[] };
  for (let round = 0; round < Number(options.rounds); round++) {
    const order = round % 2 === 0 ? (["import", "model"] as const) : (["model", "import"] as const);
    for (const contestant of order) {
      const seconds = contestant === "import" ? await importOnce(path, captions.length) : await model.run();
      rates[contestant].push(captions.length / seconds);
      console.error(`round ${round + 1}: ${contestant} ${(captions.length / seconds).toFixed(0)} captions/s`);
    }
  }
  const [imported, alone] = [median(rates.import), median(rates.model)];
  console.log(`${captions.length} captions, ${options.precision}, median of ${options.rounds} rounds`);
  console.log(`  from file to searchable  ${imported.toFixed(0)} captions/s`);
  console.log(`  the model alone          ${alone.toFixed(0)} captions/s`);
  console.log(`  share                    ${((100 * imported) / alone).toFixed(1)} %`);
}
