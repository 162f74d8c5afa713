// A move of the COCO captions from MiniLM into another embedding space (the same weights, pooled by their first token) during a steady load
// of searches: failed searches, replies whose hits are not those of the space that they name, latency before, during and after, and the
// time that each phase takes. Every similarity is compared with vectors that were computed outside the store.
// usage: node bench/reembed.ts [--limit 25014] [--clients 4] [--seconds 10]      needs ../shared/data/coco_captions_val2017.json
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createClient } from "@connectrpc/connect";
import { EmbeddingService, Priority } from "@kindred/contracts/embedding/v1";
import { OperationState } from "@kindred/contracts/common/v1";
import {
  CollectionService,
  ImageService,
  IndexService,
  OperationService,
  SearchService,
} from "@kindred/contracts/vector-store/v1";
import { messageOf } from "@kindred/errors";
import { openChannel, unpackVectors } from "@kindred/rpc";
import { sharedData, startStack, temporaryFolder } from "@kindred/testing";
import { readCoco } from "./coco.ts";
import { percentile } from "./statistics.ts";
import { writeModelFolder } from "./support/model-folder.ts";

const { values: options } = parseArgs({
  options: {
    limit: { type: "string", default: "25014" },
    clients: { type: "string", default: "4" },
    /** Of load before the move, and after it. */
    seconds: { type: "string", default: "10" },
  },
});

/** Of all-MiniLM-L6-v2's model.safetensors. */
const WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db";
const FIRST = "all-MiniLM-L6-v2";
const SECOND = "minilm-cls";
const K = 10;
/** Texts of one Embed call, and images of one message. */
const BATCH = 500;
/** Between two searches of a client. */
const PAUSE_MS = 5;
/** Rounding of other batch sizes; a vector of another space or text is off by far more. */
const LEAST_DIFFERENCE = 2e-3;

type Stage = "before" | "during" | "after";

interface References {
  dimensions: number;
  vectors: Float32Array;
}

async function secondModel(folder: string): Promise<string> {
  const model = join(folder, SECOND);
  await mkdir(model, { recursive: true });
  await writeModelFolder(model, WEIGHTS_SHA256);
  const pooling = {
    word_embedding_dimension: 384,
    pooling_mode_cls_token: true,
    pooling_mode_mean_tokens: false,
  };
  await writeFile(join(model, "1_Pooling/config.json"), JSON.stringify(pooling));
  const catalogue = join(folder, "catalogue.json");
  await writeFile(
    catalogue,
    JSON.stringify({ models: [{ name: SECOND, kind: "local", directory: model, precision: "fp32" }] }),
  );
  return catalogue;
}

async function measure(path: string): Promise<void> {
  await using folder = await temporaryFolder();
  await using stack = await startStack({
    services: ["embedding", "vector-store"],
    env: {
      EMBEDDING_MODELS: `${FIRST},${SECOND}`,
      EMBEDDING_CATALOGUE: await secondModel(folder.path),
    },
  });
  const channel = (address: string | undefined) =>
    openChannel({ address: address as string, defaultTimeoutMs: 600_000 });
  await using toEmbedding = channel(stack.addresses["embedding"]);
  await using toStore = channel(stack.addresses["vector-store"]);
  const embedding = createClient(EmbeddingService, toEmbedding.transport);
  const search = createClient(SearchService, toStore.transport);
  const operations = createClient(OperationService, toStore.transport);

  const pictures = readCoco(path);
  const captions = pictures
    .flatMap(({ fileName, captions: own }) =>
      own.map(({ id, text }) => ({ fileName, key: String(id), text })),
    )
    .slice(0, Number(options.limit));
  const texts = [...new Set(captions.map(({ text }) => text))];
  const placeOf = new Map(texts.map((text, i) => [text, i]));

  const references = new Map<string, References>();
  for (const model of [FIRST, SECOND]) {
    const parts: Float32Array[] = [];
    let space = { id: "", dimensions: 0 };
    for (let start = 0; start < texts.length; start += BATCH) {
      const reply = await embedding.embed({
        texts: texts.slice(start, start + BATCH),
        model,
        priority: Priority.BULK,
      });
      if (!reply.space) throw new Error("the embedding service names no space");
      ({ space } = { space: reply.space });
      parts.push(unpackVectors(reply.vectors, space.dimensions));
    }
    const vectors = new Float32Array(texts.length * space.dimensions);
    for (const [i, part] of parts.entries()) vectors.set(part, i * BATCH * space.dimensions);
    references.set(space.id, { dimensions: space.dimensions, vectors });
  }
  const [firstSpace, secondSpace] = [...references.keys()] as [string, string];
  if (references.size !== 2) throw new Error(`both models are of the space ${firstSpace}`);

  const byFile = Map.groupBy(captions, ({ fileName }) => fileName);
  await createClient(ImageService, toStore.transport).batchAddImages(
    (async function* () {
      const images = [...byFile].map(([imagePath, own]) => ({
        image: { imagePath },
        embeddings: own.map(({ key, text }) => ({ key, source: { case: "text" as const, value: text } })),
      }));
      for (let start = 0; start < images.length; start += BATCH / 5)
        yield { images: images.slice(start, start + BATCH / 5) };
    })(),
  );
  await createClient(IndexService, toStore.transport).ensureIndex({});

  const latencies: Record<Stage, number[]> = { before: [], during: [], after: [] };
  const failures = new Map<string, number>();
  const spaces = new Map<string, number>();
  let [stage, wrong, searches]: [Stage, number, number] = ["before", 0, 0];
  const stop = new AbortController();

  const isRight = (
    query: string,
    spaceId: string,
    hits: readonly { similarity: number; text: string }[],
  ): boolean => {
    const reference = references.get(spaceId);
    return (
      reference !== undefined &&
      hits.length > 0 &&
      hits.every(({ similarity, text }) => {
        const place = placeOf.get(text);
        const expected = place === undefined ? NaN : dot(reference, placeOf.get(query) as number, place);
        return Math.abs(similarity - expected) < LEAST_DIFFERENCE;
      })
    );
  };
  const client = async (nth: number): Promise<void> => {
    for (let turn = 0; !stop.signal.aborted; turn++) {
      const text = texts[(nth * 7919 + turn * 104_729) % texts.length] as string;
      const [began, at] = [performance.now(), stage];
      try {
        const { hits, plan } = await search.search({
          query: { case: "text", value: text },
          k: K,
          hitPerEmbedding: true,
        });
        latencies[at].push(performance.now() - began);
        const spaceId = plan?.spaceId ?? "";
        spaces.set(spaceId, (spaces.get(spaceId) ?? 0) + 1);
        const found = hits.map(({ similarity, metadata }) => ({
          similarity,
          text: String(metadata?.["text"]),
        }));
        if (!isRight(text, spaceId, found)) wrong++;
      } catch (error) {
        failures.set(messageOf(error), (failures.get(messageOf(error)) ?? 0) + 1);
      }
      searches++;
      await sleep(PAUSE_MS);
    }
  };
  const load = Array.from({ length: Number(options.clients) }, (_, nth) => client(nth));

  await sleep(1000 * Number(options.seconds));
  stage = "during";
  const began = performance.now();
  const { operation } = await createClient(CollectionService, toStore.transport).startReembedding({
    collection: "images",
    model: SECOND,
  });
  if (!operation) throw new Error("no operation was begun");
  const phases = new Map<string, number>();
  let [phase, since, outcome] = ["queued", began, operation];
  for await (const { operation: now } of operations.watchOperation({ id: operation.id })) {
    if (!now) continue;
    outcome = now;
    const name = now.phase.replace(/:.*/, "") || "queued";
    if (name === phase) continue;
    phases.set(phase, (phases.get(phase) ?? 0) + performance.now() - since);
    [phase, since] = [name, performance.now()];
  }
  phases.set(phase, (phases.get(phase) ?? 0) + performance.now() - since);
  const took = performance.now() - began;
  stage = "after";
  await sleep(1000 * Number(options.seconds));
  stop.abort();
  await Promise.all(load);

  const succeeded = outcome.state === OperationState.SUCCEEDED;
  console.log(
    `${captions.length} captions, ${options.clients} clients: ${succeeded ? "moved" : `not moved: ${outcome.failure?.message}`} in ${(took / 1000).toFixed(1)} s`,
  );
  for (const note of outcome.notes) console.log(`note: ${note}`);
  console.log(
    `${searches} searches, ${[...failures.values()].reduce((a, b) => a + b, 0)} failed, ${wrong} with hits that are not of their space; ` +
      `${spaces.get(firstSpace) ?? 0} in the old space, ${spaces.get(secondSpace) ?? 0} in the new one`,
  );
  for (const [message, count] of failures) console.log(`failed ${count} times: ${message}`);
  table(["", "searches", "p50 ms", "p99 ms"]);
  for (const [name, values] of Object.entries(latencies))
    table([
      name,
      String(values.length),
      percentile(values, 0.5).toFixed(1),
      percentile(values, 0.99).toFixed(1),
    ]);
  table(["phase", "seconds"]);
  for (const [name, ms] of phases) table([name, (ms / 1000).toFixed(1)]);
  if (!succeeded || wrong > 0 || failures.size > 0) process.exitCode = 1;
}

function dot({ vectors, dimensions }: References, a: number, b: number): number {
  let sum = 0;
  for (let d = 0; d < dimensions; d++)
    sum += (vectors[a * dimensions + d] as number) * (vectors[b * dimensions + d] as number);
  return sum;
}

function table(cells: readonly string[]): void {
  console.log(cells.map((cell) => cell.padEnd(14)).join(""));
}

const path = sharedData("coco_captions_val2017.json");
if (path === undefined) console.error("skipped: ../shared/data/coco_captions_val2017.json is not there");
else await measure(path);
