// Searches/s and latency through gRPC, against the same SQL sent by bare pg, at equal ef_search and with equal results.
// usage: node bench/search.ts [--vectors 25014] [--ef 40,100,200] [--rounds 5] [--seconds 2]
// Every contestant is a process of its own; they take turns, every other round in the opposite order.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { temporaryFolder } from "@kindred/testing";
import { median } from "./statistics.ts";
import { clusteredVectors } from "./support/clustered-vectors.ts";
import {
  startSearchContestant,
  type SearchContestant,
  type SearchKind,
  type SearchReport,
} from "./support/search-contestant.ts";
import { buildHnsw, fillCollection, startVectorStore } from "./support/vector-service.ts";

const { values: options } = parseArgs({
  options: {
    vectors: { type: "string", default: "25014" },
    ef: { type: "string", default: "40,100,200" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "2" },
    /** For the service's process, e.g. --cpu-prof. */
    "node-args": { type: "string", default: "" },
  },
});

const CLIENTS = 8;
const K = 10;
const SHAPE = { dimensions: 384, clusters: 300 };
const QUERIES = 1000;
const COMPARED = 50;
const SETTLE_MS = 200;
const KINDS: readonly SearchKind[] = ["grpc", "pg-text", "pg-binary"];

interface Measured {
  many: SearchReport[];
  one: SearchReport[];
}

/** @throws Error when contestants answer differently: then they did not do the same work. */
async function compareAnswers(contestants: readonly SearchContestant[], efSearch: number): Promise<void> {
  const [own, ...others] = await Promise.all(contestants.map((each) => each.keys({ efSearch }, COMPARED)));
  for (const other of others) {
    const shared = (own ?? []).map(
      (keys, i) => keys.filter((key) => other[i]?.includes(key)).length / keys.length,
    );
    const mean = shared.reduce((sum, share) => sum + share, 0) / shared.length;
    if (mean < 0.99) throw new Error(`only ${(100 * mean).toFixed(1)} % of the hits are the same`);
  }
}

async function measure(
  contestants: readonly SearchContestant[],
  efSearch: number,
): Promise<Map<SearchKind, Measured>> {
  const seconds = Number(options.seconds);
  const measured = new Map<SearchKind, Measured>(KINDS.map((kind) => [kind, { many: [], one: [] }]));
  for (let round = 0; round <= Number(options.rounds); round++) {
    for (const contestant of round % 2 === 0 ? contestants : contestants.toReversed()) {
      const many = await contestant.run({ efSearch, clients: CLIENTS, seconds });
      await sleep(SETTLE_MS);
      const one = await contestant.run({ efSearch, clients: 1, seconds: seconds / 2 });
      await sleep(SETTLE_MS);
      // The first round warms up.
      if (round === 0) continue;
      measured.get(contestant.kind)?.many.push(many);
      measured.get(contestant.kind)?.one.push(one);
    }
  }
  return measured;
}

const medianOf = (reports: readonly SearchReport[], figure: keyof SearchReport): number =>
  median(reports.map((report) => report[figure]));

/** Ratios are taken within a round. */
function ratio(own: readonly SearchReport[], other: readonly SearchReport[]): string {
  const ratios = own.map((report, i) => report.queriesPerSecond / (other[i]?.queriesPerSecond ?? Number.NaN));
  const [low, high] = [Math.min(...ratios), Math.max(...ratios)];
  return `${median(ratios).toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
}

function printReport(efSearch: number, measured: ReadonlyMap<SearchKind, Measured>): void {
  console.log(`\nef_search ${efSearch}`);
  console.log("              8 clients                      1 client");
  console.log("              queries/s   p50 ms   p99 ms   p50 ms   p99 ms");
  for (const [kind, { many, one }] of measured) {
    const columns = [
      medianOf(many, "queriesPerSecond").toFixed(0).padStart(9),
      ...[many, one].flatMap((reports) => [
        medianOf(reports, "p50Ms").toFixed(2).padStart(8),
        medianOf(reports, "p99Ms").toFixed(2).padStart(8),
      ]),
    ];
    console.log(`  ${kind.padEnd(12)}${columns.join(" ")}`);
  }
  const [grpc, text, binary] = KINDS.map((kind) => measured.get(kind) as Measured) as [
    Measured,
    Measured,
    Measured,
  ];
  const added = medianOf(grpc.one, "p50Ms") - medianOf(text.one, "p50Ms");
  console.log(`  of bare pg with text parameters    ${ratio(grpc.many, text.many)}   goal 0.90`);
  console.log(`  of bare pg with binary parameters  ${ratio(grpc.many, binary.many)}`);
  console.log(`  added at p50, 1 client             ${added.toFixed(2)} ms   goal at most 1`);
}

await using folder = await temporaryFolder();
await using store = await startVectorStore({
  nodeArgs: options["node-args"].split(" ").filter((argument) => argument !== ""),
});
console.log(store.database);
const count = Number(options.vectors);
const table = await fillCollection(store, { name: "bench", source: clusteredVectors(SHAPE), count });
const buildS = await buildHnsw(store, table, { m: 16, efConstruction: 200 });
console.log(
  `${count} x ${SHAPE.dimensions} vectors, HNSW with m 16 and ef_construction 200 in ${buildS.toFixed(0)} s; ` +
    `k ${K}, medians of ${options.rounds} rounds`,
);
const queries = join(folder.path, "queries");
await writeFile(queries, new Uint8Array(clusteredVectors(SHAPE, 1).next(QUERIES).vectors.buffer));

await using opening = new AsyncDisposableStack();
const contestants: SearchContestant[] = [];
for (const kind of KINDS) {
  const { address, databaseUrl } = store;
  const setup = { kind, address, databaseUrl, collection: "bench", table, queries, k: K };
  contestants.push(opening.use(await startSearchContestant({ ...setup, dimensions: SHAPE.dimensions })));
}
for (const efSearch of options.ef.split(",").map(Number)) {
  await compareAnswers(contestants, efSearch);
  printReport(efSearch, await measure(contestants, efSearch));
}
