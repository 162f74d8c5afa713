// Filtered searches at several selectivities: the method that the store chooses, whether there are k hits, recall@10, latency.
// usage: node bench/filtered.ts [--vectors 200000] [--queries 100]
import { parseArgs } from "node:util";
import { SearchMethod, SearchMethodSchema, type SearchResponse } from "@kindred/contracts/vector-store/v1";
import { median, percentile } from "./statistics.ts";
import { clusteredVectors } from "./support/clustered-vectors.ts";
import { randomNumbers } from "./support/texts.ts";
import { buildHnsw, fillCollection, startVectorStore } from "./support/vector-service.ts";

const { values: options } = parseArgs({
  options: {
    vectors: { type: "string", default: "200000" },
    queries: { type: "string", default: "100" },
  },
});

const K = 10;
const SHAPE = { dimensions: 384, clusters: 300 };
const NAME = "bench";
/** Shares of the items that pass. */
const SELECTIVITIES = [0.5, 0.05, 0.005, 0.0005];
/** Each search is asked once unmeasured, so that connections and plans are there. */
const WARM_UP = 5;

const count = Number(options.vectors);
const random = randomNumbers(17);
/** Every item draws a number; an item passes a filter of selectivity s when its number is below s: whatever its cluster. */
const drawn = Float64Array.from({ length: count }, random);
const passing = (selectivity: number): number => drawn.filter((number) => number < selectivity).length;

await using store = await startVectorStore();
console.log(store.database);
const table = await fillCollection(store, {
  name: NAME,
  source: clusteredVectors(SHAPE),
  count,
  metadataOf: (position) => ({ draw: drawn[position] as number }),
});
const buildS = await buildHnsw(store, table, { m: 16, efConstruction: 200 });
console.log(
  `${count} x ${SHAPE.dimensions} vectors, HNSW with m 16 and ef_construction 200 in ${buildS.toFixed(0)} s`,
);

const queryCount = Number(options.queries);
const queries = clusteredVectors(SHAPE, 1).next(queryCount).vectors;

function ask(i: number, selectivity: number | undefined, exact: boolean): Promise<SearchResponse> {
  const vector = queries.subarray(i * SHAPE.dimensions, (i + 1) * SHAPE.dimensions);
  const data = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
  return store.search.search({
    collection: NAME,
    query: { case: "vector", value: { data } },
    k: K,
    exact,
    projection: { omitMetadata: true, omitDocument: true },
    ...(selectivity !== undefined && {
      where: {
        condition: {
          case: "range",
          value: {
            field: { segments: ["draw"] },
            lt: { value: { case: "number", value: selectivity } },
          },
        },
      },
    }),
  });
}

const methodName = (method: SearchMethod): string =>
  SearchMethodSchema.value[method]?.name.replace("SEARCH_METHOD_", "") ?? String(method);

interface Outcome {
  methods: Set<string>;
  shortest: number;
  recall: number;
  latencies: number[];
  exactMs: number[];
}

async function measure(selectivity: number | undefined): Promise<Outcome> {
  const outcome: Outcome = { methods: new Set(), shortest: K, recall: 0, latencies: [], exactMs: [] };
  for (let i = 0; i < Math.min(WARM_UP, queryCount); i++) await ask(i, selectivity, false);
  for (let i = 0; i < queryCount; i++) {
    const sentAt = performance.now();
    const { hits, plan } = await ask(i, selectivity, false);
    const answeredAt = performance.now();
    const truth = await ask(i, selectivity, true);
    outcome.exactMs.push(performance.now() - answeredAt);
    outcome.latencies.push(answeredAt - sentAt);
    const wanted = new Set(truth.hits.map(({ key }) => key));
    const found = hits.filter(({ key }) => wanted.has(key)).length;
    outcome.methods.add(methodName(plan?.method ?? SearchMethod.UNSPECIFIED));
    outcome.shortest = Math.min(outcome.shortest, hits.length);
    outcome.recall += found / wanted.size / queryCount;
  }
  return outcome;
}

console.log("\n  passing              fewest hits  recall@10  p50 ms  p99 ms  exact p50 ms  method");
let short = false;
for (const selectivity of [undefined, ...SELECTIVITIES]) {
  const { methods, shortest, recall, latencies, exactMs } = await measure(selectivity);
  const rows = selectivity === undefined ? count : passing(selectivity);
  short ||= shortest < Math.min(K, rows);
  const share = selectivity === undefined ? "all" : `${(100 * selectivity).toFixed(2)} %`;
  console.log(
    [
      `  ${share.padStart(7)} ${String(rows).padStart(9)}`,
      String(shortest).padStart(14),
      recall.toFixed(4).padStart(10),
      median(latencies).toFixed(2).padStart(7),
      percentile(latencies, 0.99).toFixed(2).padStart(7),
      median(exactMs).toFixed(2).padStart(13),
      ` ${[...methods].join(", ")}`,
    ].join(" "),
  );
}
if (short) {
  console.error("a search gave fewer hits than there are");
  process.exitCode = 1;
}
