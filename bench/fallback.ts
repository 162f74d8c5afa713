// Searches in a PostgreSQL without pgvector: exactness, latency with and without remembered vectors, and memory of the service.
// usage: node bench/fallback.ts [--vectors 50000] [--searches 100] [--cold 5]
import { createClient, type Client } from "@connectrpc/connect";
import { CollectionService, SearchMethod, SearchService } from "@kindred/contracts/vector-store/v1";
import { repositoryPath, superviseProcess } from "@kindred/process";
import { openChannel } from "@kindred/rpc";
import { Client as PgClient, escapeIdentifier } from "pg";
import { parseArgs } from "node:util";
import { percentile } from "./statistics.ts";
import { clusteredVectors } from "./support/clustered-vectors.ts";
import { NOTHING_TO_LOSE, startDatabase } from "./support/database.ts";
import { residentMemory } from "./support/memory-samples.ts";

const { values: options } = parseArgs({
  options: {
    vectors: { type: "string", default: "50000" },
    searches: { type: "string", default: "100" },
    cold: { type: "string", default: "5" },
  },
});

const COUNT = Number(options.vectors);
const SHAPE = { dimensions: 384, clusters: 300 };
const K = 10;
const BATCH = 2000;
const COLLECTION = "bench";
const CALL_TIMEOUT_MS = 120_000;
/** Single precision adds up to this at most for vectors of length 1. */
const PRECISION = 1e-6;
const MIB = 2 ** 20;

/** A role that may write to the services' schema and create no extension, as in a database that somebody else looks after. */
async function prepareRole(adminUrl: string): Promise<string> {
  const admin = new PgClient({ connectionString: adminUrl });
  await admin.connect();
  try {
    await admin.query("CREATE ROLE plain LOGIN PASSWORD 'plain'");
    await admin.query("CREATE SCHEMA vector_store AUTHORIZATION plain");
  } finally {
    await admin.end();
  }
  const url = new URL(adminUrl);
  url.username = "plain";
  url.password = "plain";
  return url.href;
}

interface Service extends AsyncDisposable {
  pid: number;
  collections: Client<typeof CollectionService>;
  search: Client<typeof SearchService>;
}

async function startService(databaseUrl: string, cacheBytes: string): Promise<Service> {
  await using starting = new AsyncDisposableStack();
  const service = starting.use(
    superviseProcess({
      name: "vector-store",
      entry: repositoryPath("services/vector-store/src/main.ts"),
      env: {
        DATABASE_URL: databaseUrl,
        GRPC_PORT: "0",
        HTTP_PORT: "0",
        LOG_LEVEL: "error",
        METRICS_ADDRESS: "",
        SEARCH_CACHE_BYTES: cacheBytes,
      },
      restart: "never",
      onLog: (line) => console.error(line),
    }),
  );
  const ready = await service.ready;
  const address = `127.0.0.1:${String(ready["grpcPort"])}`;
  const { transport } = starting.use(openChannel({ address, defaultTimeoutMs: CALL_TIMEOUT_MS }));
  const started = starting.move();
  return {
    pid: service.pid as number,
    collections: createClient(CollectionService, transport),
    search: createClient(SearchService, transport),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

/** Fills the collection's table by plain SQL: what is measured here is reading. @returns all vectors, row after row. */
async function fill(service: Service, databaseUrl: string): Promise<Float32Array> {
  const { collection } = await service.collections.createCollection({
    name: COLLECTION,
    dimensions: SHAPE.dimensions,
  });
  if (!collection?.storedAsJson) throw new Error("this database has pgvector");
  const { schema = "", table = "" } = collection.table ?? {};
  const name = `${escapeIdentifier(schema)}.${escapeIdentifier(table)}`;
  const source = clusteredVectors(SHAPE);
  const all = new Float32Array(COUNT * SHAPE.dimensions);
  const sql = new PgClient({ connectionString: databaseUrl });
  await sql.connect();
  try {
    for (let start = 0; start < COUNT; start += BATCH) {
      const size = Math.min(BATCH, COUNT - start);
      const { vectors } = source.next(size);
      all.set(vectors, start * SHAPE.dimensions);
      const rows = Array.from({ length: size }, (_, i) =>
        JSON.stringify([...vectors.subarray(i * SHAPE.dimensions, (i + 1) * SHAPE.dimensions)]),
      );
      await sql.query(
        `INSERT INTO ${name} (key, embedding)
         SELECT 'item-' || ($1::integer + position - 1), vector::jsonb
           FROM unnest($2::text[]) WITH ORDINALITY AS u (vector, position)`,
        [start, rows],
      );
    }
    await sql.query(`ANALYZE ${name}`);
  } finally {
    await sql.end();
  }
  return all;
}

/** Cosine distance of every vector, in double precision, by position. */
function distancesOf(all: Float32Array, query: Float32Array): Float64Array {
  const norm = Math.hypot(...query);
  return Float64Array.from({ length: COUNT }, (_, row) => {
    let [product, squares] = [0, 0];
    for (let i = 0; i < query.length; i++) {
      const value = all[row * query.length + i] as number;
      product += value * (query[i] as number);
      squares += value * value;
    }
    return 1 - product / (norm * Math.sqrt(squares));
  });
}

async function searchOnce(service: Service, query: Float32Array): Promise<{ ms: number; keys: string[] }> {
  const data = new Uint8Array(query.buffer, query.byteOffset, query.byteLength);
  const startedAt = performance.now();
  const { hits, plan } = await service.search.search({
    collection: COLLECTION,
    query: { case: "vector", value: { data } },
    k: K,
  });
  const ms = performance.now() - startedAt;
  if (plan?.method !== SearchMethod.IN_PROCESS)
    throw new Error(`the search was answered by method ${plan?.method}`);
  return { ms, keys: hits.map(({ key }) => key) };
}

/** Whether these are the nearest, nearest first; those that single precision cannot tell apart may stand in any order. */
function isExact(keys: readonly string[], distances: Float64Array): boolean {
  const nearest = distances.toSorted().subarray(0, K);
  return (
    new Set(keys).size === K &&
    keys.every((key, i) => {
      const distance = distances[Number(key.slice("item-".length))] as number;
      return Math.abs(distance - (nearest[i] as number)) <= PRECISION;
    })
  );
}

interface Phase {
  name: string;
  times: number[];
  peak: number;
}

async function measure(
  service: Service,
  name: string,
  queries: readonly Float32Array[],
  answers: string[][],
): Promise<Phase> {
  const phase: Phase = { name, times: [], peak: 0 };
  const sample = (): void => {
    phase.peak = Math.max(phase.peak, residentMemory(service.pid).rss);
  };
  const sampling = setInterval(sample, 20);
  try {
    for (const query of queries) {
      const { ms, keys } = await searchOnce(service, query);
      phase.times.push(ms);
      answers.push(keys);
      sample();
    }
  } finally {
    clearInterval(sampling);
  }
  return phase;
}

function print({ name, times, peak }: Phase, before: number): void {
  const ms = [0.5, 0.99].map((p) => percentile(times, p).toFixed(1).padStart(9));
  const grown = ((peak - before) / MIB).toFixed(0).padStart(9);
  console.log(`  ${name.padEnd(26)}${String(times.length).padStart(5)}${ms.join("")}${grown}`);
}

await using server = await startDatabase({ shared_buffers: "512MB", ...NOTHING_TO_LOSE });
const databaseUrl = await prepareRole(server.url);
const source = clusteredVectors(SHAPE, 1).next(
  Math.max(Number(options.searches), Number(options.cold)),
).vectors;
const queries = Array.from({ length: source.length / SHAPE.dimensions }, (_, i) =>
  source.subarray(i * SHAPE.dimensions, (i + 1) * SHAPE.dimensions),
);
const cold = queries.slice(0, Number(options.cold));
const answers: string[][] = [];

let all: Float32Array;
const phases: [Phase, number][] = [];
{
  await using service = await startService(databaseUrl, "0");
  all = await fill(service, databaseUrl);
  const before = residentMemory(service.pid).rss;
  phases.push([await measure(service, "nothing remembered", cold, answers), before]);
}
{
  await using service = await startService(databaseUrl, "256MiB");
  const before = residentMemory(service.pid).rss;
  phases.push([await measure(service, "first search, which reads", queries.slice(0, 1), answers), before]);
  phases.push([await measure(service, "all remembered", queries, answers), before]);
}
console.log(`${server.description}, its pgvector not created`);
console.log(
  `${COUNT} x ${SHAPE.dimensions} vectors in JSONB (${(all.byteLength / MIB).toFixed(0)} MiB as float32), k ${K}`,
);
console.log("                            searches  p50 ms   p99 ms  MiB grown");
for (const [phase, before] of phases) print(phase, before);
const asked = [...cold, ...queries.slice(0, 1), ...queries];
const exact = asked.filter((query, i) => isExact(answers[i] as string[], distancesOf(all, query))).length;
console.log(
  `  exact: ${exact} of ${asked.length}, by a computation of the benchmark's own in double precision`,
);
if (exact < asked.length) process.exitCode = 1;
