// Recall that searches ask for, against what they get, computed exactly outside of the database; what it costs; and whether the store's own
// estimates hold what they promise.
// usage: node bench/recall.ts [--part coco,synthetic,intervals] [--rows 200000] [--queries 300] [--trials 100] [--sample 100]
//        coco and intervals need ../shared/data/coco_captions_val2017.json and stsb-en-dev.csv
import { parseArgs } from "node:util";
import { createClient, type Client } from "@connectrpc/connect";
import { Priority } from "@kindred/contracts/embedding/v1";
import { OperationState, type Operation } from "@kindred/contracts/common/v1";
import {
  IndexKind,
  IndexMaintenance,
  IndexService,
  OperationService,
  QuerySource,
  RecallService,
  type SearchResponse,
} from "@kindred/contracts/vector-store/v1";
import { openChannel } from "@kindred/rpc";
import { sharedData } from "@kindred/testing";
import { readCoco } from "./coco.ts";
import { median, percentile } from "./statistics.ts";
import { clusteredVectors, type VectorSource } from "./support/clustered-vectors.ts";
import { exactNearest, type Truth } from "./support/exact-nearest.ts";
import { startEmbedding } from "./support/service.ts";
import { loadTexts, randomNumbers } from "./support/texts.ts";
import { fillCollection, startVectorStore, type RunningVectorStore } from "./support/vector-service.ts";

const { values: options } = parseArgs({
  options: {
    part: { type: "string", default: "coco,synthetic,intervals" },
    rows: { type: "string", default: "200000" },
    queries: { type: "string", default: "300" },
    trials: { type: "string", default: "100" },
    /** Queries of a trial. */
    sample: { type: "string", default: "100" },
    /** ef_search that the trials measure. */
    effort: { type: "string", default: "100" },
    /** Seconds in which the store sees searches before it is tuned: it remembers fifty of them each ten seconds. */
    learn: { type: "string", default: "45" },
  },
});

const K = 10;
const DIMENSIONS = 384;
const TARGETS = [0.9, 0.95, 0.99];
const SELECTIVITIES = [0.5, 0.05, 0.005, 0.0005];
/** Clusters that overlap, some forty directions in each, and noise: ef_search 40 finds about four of five neighbours. */
const SHAPE = { dimensions: DIMENSIONS, clusters: 200, latentDimensions: 40, spread: 1.5, noise: 0.5 };
const WARM_UP = 10;

interface Clients {
  index: Client<typeof IndexService>;
  operations: Client<typeof OperationService>;
  recall: Client<typeof RecallService>;
}

/** Vectors of length 1, row after row. */
interface DataSet {
  name: string;
  stored: Float32Array;
  /** What the store may see beforehand. */
  seen: Float32Array;
  /** What it is judged by. */
  heldOut: Float32Array;
}

const vectorAt = (vectors: Float32Array, i: number): Float32Array =>
  vectors.subarray(i * DIMENSIONS, (i + 1) * DIMENSIONS);
const countOf = (vectors: Float32Array): number => vectors.length / DIMENSIONS;
const rowOf = (key: string): number => Number(key.slice("item-".length));
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function ask(
  store: RunningVectorStore,
  collection: string,
  vector: Float32Array,
  request: { recallTarget?: number; efSearch?: number; exact?: boolean; below?: number },
): Promise<SearchResponse> {
  const { below, ...how } = request;
  return store.search.search({
    collection,
    query: {
      case: "vector",
      value: { data: new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength) },
    },
    k: K,
    projection: { omitMetadata: true, omitDocument: true },
    ...how,
    ...(below !== undefined && {
      where: {
        condition: {
          case: "range",
          value: { field: { segments: ["draw"] }, lt: { value: { case: "number", value: below } } },
        },
      },
    }),
  });
}

async function finished(clients: Clients, started: Operation | undefined): Promise<Operation> {
  let last = started;
  for await (const { operation } of clients.operations.watchOperation({ id: started?.id ?? 0n }))
    last = operation;
  if (last?.state !== OperationState.SUCCEEDED)
    throw new Error(`an operation failed: ${last?.failure?.message}`);
  return last;
}

/** A source that gives the vectors that there are. */
function sourceOf(vectors: Float32Array): VectorSource {
  let start = 0;
  return {
    dimensions: DIMENSIONS,
    next(count) {
      const next = vectors.subarray(start * DIMENSIONS, (start + count) * DIMENSIONS);
      start += count;
      return { vectors: next, clusters: new Uint32Array() };
    },
  };
}

/**
 * Stores the set, searches in it for some time as somebody would who uses it, and has its index built and tuned; `draws` of its items are
 * what filters ask for.
 */
async function prepare(
  store: RunningVectorStore,
  clients: Clients,
  { name, stored, seen }: DataSet,
  draws: Float64Array,
): Promise<void> {
  const count = countOf(stored);
  await fillCollection(store, {
    name,
    source: sourceOf(stored),
    count,
    metadataOf: (position) => ({ draw: draws[position] as number }),
  });
  // The bench says when what is done.
  await store.collections.updateCollection({
    collection: { name, indexPolicy: { maintenance: IndexMaintenance.MANUAL } },
    updateMask: { paths: ["index_policy.maintenance"] },
  });
  const until = performance.now() + 1000 * Number(options.learn);
  for (let i = 0; performance.now() < until; i++)
    await ask(store, name, vectorAt(seen, i % countOf(seen)), {});
  const began = performance.now();
  const { operation } = await clients.index.startIndexBuild({
    collection: name,
    spec: { kind: IndexKind.HNSW },
  });
  await finished(clients, operation);
  console.log(
    `${name}: ${count} vectors, index built and tuned in ${((performance.now() - began) / 1000).toFixed(0)} s`,
  );
  const { curves } = await clients.recall.getRecallCurves({ collection: name });
  for (const { k, filterSelectivity, points, queries, recentQueries } of curves) {
    const shown = points.map(
      ({ effort, recall, lower }) => `${effort} ${recall.toFixed(3)}/${lower.toFixed(3)}`,
    );
    console.log(
      `  k ${k}, ${100 * filterSelectivity} %, ${queries} queries (${recentQueries} recent): ${shown.join("  ")}`,
    );
  }
}

interface Row {
  what: string;
  fewest: number;
  recall: number;
  latencies: number[];
  exact: number[];
  how: Set<string>;
}

/** Asks all held-out queries in one way, and exactly by turns. */
async function judge(
  store: RunningVectorStore,
  { name, heldOut }: DataSet,
  truths: readonly Truth[],
  what: string,
  request: Parameters<typeof ask>[3],
  passes?: (row: number) => boolean,
): Promise<Row> {
  const row: Row = { what, fewest: K, recall: 0, latencies: [], exact: [], how: new Set() };
  const below = request.below === undefined ? {} : { below: request.below };
  for (let i = 0; i < Math.min(WARM_UP, truths.length); i++)
    await ask(store, name, vectorAt(heldOut, i), request);
  for (const [i, truth] of truths.entries()) {
    const vector = vectorAt(heldOut, i);
    const sentAt = performance.now();
    const { hits, plan } = await ask(store, name, vector, request);
    const answeredAt = performance.now();
    await ask(store, name, vector, { exact: true, ...below });
    row.exact.push(performance.now() - answeredAt);
    row.latencies.push(answeredAt - sentAt);
    row.recall +=
      truth.recallOf(
        hits.map(({ key }) => rowOf(key)),
        K,
        passes,
      ) / truths.length;
    row.fewest = Math.min(row.fewest, hits.length);
    row.how.add(plan?.efSearch ? `ef_search ${plan.efSearch}` : "exact");
  }
  return row;
}

let missed = 0;

function print({ what, fewest, recall, latencies, exact, how }: Row, target: number): void {
  // The mean of some hundred queries may miss a target by chance that all queries meet.
  const met = recall >= target;
  if (!met) missed++;
  console.log(
    [
      `  ${what.padEnd(26)}`,
      recall.toFixed(4).padStart(9),
      String(fewest).padStart(6),
      median(latencies).toFixed(2).padStart(8),
      percentile(latencies, 0.95).toFixed(2).padStart(8),
      median(exact).toFixed(2).padStart(12),
      percentile(exact, 0.95).toFixed(2).padStart(12),
      `  ${[...how].join(", ")}${met ? "" : "  MISSED"}`,
    ].join(" "),
  );
}

async function targets(store: RunningVectorStore, clients: Clients, set: DataSet): Promise<void> {
  const random = randomNumbers(17);
  const draws = Float64Array.from({ length: countOf(set.stored) }, random);
  await prepare(store, clients, set, draws);
  const asked = Math.min(Number(options.queries), countOf(set.heldOut));
  const truths = Array.from({ length: asked }, (_, i) => exactNearest(set.stored, vectorAt(set.heldOut, i)));
  console.log(`${asked} held-out queries, k ${K}`);
  console.log(
    "                              recall  fewest   p50 ms   p95 ms exact p50 ms exact p95 ms  how",
  );
  for (const recallTarget of TARGETS) {
    print(await judge(store, set, truths, `target ${recallTarget}`, { recallTarget }), recallTarget);
  }
  for (const recallTarget of TARGETS) {
    for (const below of SELECTIVITIES) {
      const passes = (row: number): boolean => (draws[row] as number) < below;
      const what = `target ${recallTarget}, ${100 * below} % pass`;
      const row = await judge(store, set, truths, what, { recallTarget, below }, passes);
      print(row, recallTarget);
      if (row.fewest < Math.min(K, draws.filter((draw) => draw < below).length)) missed++;
    }
  }
}

/** How often the interval of a measurement holds the recall of all queries that it draws its sample from. */
async function intervals(store: RunningVectorStore, clients: Clients, set: DataSet): Promise<void> {
  const effort = Number(options.effort);
  const all = Array.from({ length: countOf(set.heldOut) }, (_, i) => vectorAt(set.heldOut, i));
  const found: number[] = [];
  for (const vector of all) {
    const { hits } = await ask(store, set.name, vector, { efSearch: effort });
    found.push(
      exactNearest(set.stored, vector).recallOf(
        hits.map(({ key }) => rowOf(key)),
        K,
      ),
    );
  }
  const truth = mean(found);
  // The whole population at once; the recorder would take its time.
  await store.sql.query("DELETE FROM vector_store.recent_queries WHERE collection = $1", [set.name]);
  await store.sql.query(
    "INSERT INTO vector_store.recent_queries (collection, vector) SELECT $1, v FROM unnest($2::bytea[]) v",
    [set.name, all.map((vector) => Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength))],
  );
  const trials = Number(options.trials);
  const widths: number[] = [];
  const seconds: number[] = [];
  let held = 0;
  for (let trial = 0; trial < trials; trial++) {
    const began = performance.now();
    const { measurement } = await clients.recall.measureRecall({
      collection: set.name,
      effort,
      queries: Number(options.sample),
      source: QuerySource.RECENT,
    });
    const { lower, upper } = measurement ?? { lower: 0, upper: 0 };
    if (lower <= truth && truth <= upper) held++;
    widths.push(upper - lower);
    seconds.push((performance.now() - began) / 1000);
  }
  const share = held / trials;
  if (share < 0.95) missed++;
  console.log(
    `\nrecall@${K} of all ${all.length} queries at ef_search ${effort}: ${truth.toFixed(4)}, computed outside\n` +
      `${held} of ${trials} intervals (95 %, ${options.sample} queries each) hold it; ` +
      `median width ${median(widths).toFixed(4)}, ${median(seconds).toFixed(2)} s each${share < 0.95 ? "  MISSED" : ""}`,
  );
}

/** Captions to search in; sentences of other kinds as queries, of which the store sees one half. */
async function coco(): Promise<DataSet | undefined> {
  const path = sharedData("coco_captions_val2017.json");
  if (path === undefined || sharedData("stsb-en-dev.csv") === undefined) {
    console.error("skipped: ../shared/data is not there");
    return undefined;
  }
  await using embedding = await startEmbedding("fp32");
  const embed = async (texts: readonly string[]): Promise<Float32Array> => {
    const { vectors } = await embedding.client.embed({ texts: [...texts], priority: Priority.BULK });
    return new Float32Array(Uint8Array.from(vectors).buffer);
  };
  const captions = readCoco(path).flatMap((picture) => picture.captions.map(({ text }) => text));
  const stored = new Float32Array(captions.length * DIMENSIONS);
  for (let start = 0; start < captions.length; start += 5000) {
    stored.set(await embed(captions.slice(start, start + 5000)), start * DIMENSIONS);
  }
  const { texts } = loadTexts();
  // Neighbours in the file are pairs of alike sentences: whole pairs go to one side. Captions come first there, news last.
  const random = randomNumbers(29);
  const half = (side: number): string[] =>
    texts
      .filter((_, i) => Math.floor(i / 2) % 2 === side)
      .map((text) => ({ text, place: random() }))
      .toSorted((a, b) => a.place - b.place)
      .map(({ text }) => text);
  return { name: "coco", stored, seen: await embed(half(0)), heldOut: await embed(half(1)) };
}

function synthetic(): DataSet {
  const count = Number(options.rows);
  return {
    name: "synthetic",
    stored: clusteredVectors(SHAPE).next(count).vectors,
    seen: clusteredVectors(SHAPE, 1).next(2000).vectors,
    heldOut: clusteredVectors(SHAPE, 2).next(Number(options.queries)).vectors,
  };
}

const parts = new Set(options.part.split(","));
const captions = parts.has("coco") || parts.has("intervals") ? await coco() : undefined;
await using store = await startVectorStore({ env: { RECALL_RECENT_QUERIES: "10000" } });
await using channel = openChannel({ address: store.address, defaultTimeoutMs: 3_600_000 });
const clients: Clients = {
  index: createClient(IndexService, channel.transport),
  operations: createClient(OperationService, channel.transport),
  recall: createClient(RecallService, channel.transport),
};
console.log(store.database);
if (captions && parts.has("coco")) await targets(store, clients, captions);
if (parts.has("synthetic")) await targets(store, clients, synthetic());
if (captions && parts.has("intervals")) {
  if (!parts.has("coco")) await prepare(store, clients, captions, new Float64Array(countOf(captions.stored)));
  await intervals(store, clients, captions);
}
if (missed > 0) {
  console.error(`${missed} goals were missed`);
  process.exitCode = 1;
}
