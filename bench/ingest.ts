// Rows/s of Ingest through gRPC, against one bare COPY BINARY of the same rows by pg-copy-streams into a table of the same shape.
// usage: node bench/ingest.ts [--rows 200000] [--batch 10000] [--rounds 5] [--node-args=--cpu-prof]
// Each run fills a new, empty table; in turns, in alternating order, after a checkpoint.
import { once } from "node:events";
import { parseArgs } from "node:util";
import { Client as PgClient, escapeIdentifier } from "pg";
import { from as copyFrom } from "pg-copy-streams";
import { median } from "./statistics.ts";
import { clusteredVectors } from "./support/clustered-vectors.ts";
import { runRounds, secondsOf } from "./support/rounds.ts";
import { startVectorStore, type RunningVectorStore } from "./support/vector-service.ts";

const { values: options } = parseArgs({
  options: {
    rows: { type: "string", default: "200000" },
    batch: { type: "string", default: "10000" },
    rounds: { type: "string", default: "5" },
    /** For the service's process. */
    "node-args": { type: "string", default: "" },
  },
});

const DIMENSIONS = 384;
const VECTOR_BYTES = 4 * DIMENSIONS;
const GOAL = 0.7;
const BUDGET_S = 600;

const rows = Number(options.rows);
const batch = Number(options.batch);
const keys = Array.from({ length: rows }, (_, i) => `item-${String(i).padStart(8, "0")}`);
// Neither side does anything that depends on the values; some thousand of them, over and over, are made in a moment.
const DISTINCT = Math.min(rows, 20_000);
const distinct = Buffer.from(
  clusteredVectors({ dimensions: DIMENSIONS, clusters: 100 }).next(DISTINCT).vectors.buffer,
);
const vectors = Buffer.alloc(rows * VECTOR_BYTES);
for (let at = 0; at < vectors.length; at += distinct.length) distinct.copy(vectors, at);

async function* messages(collection: string) {
  yield { message: { case: "options" as const, value: { collection } } };
  for (let start = 0; start < rows; start += batch) {
    const end = Math.min(rows, start + batch);
    const items = {
      keys: keys.slice(start, end),
      vectors: vectors.subarray(start * VECTOR_BYTES, end * VECTOR_BYTES),
    };
    yield { message: { case: "batch" as const, value: { sequence: BigInt(start), items } } };
  }
}

/** @returns seconds until the last batch is answered */
async function ingest({ collections, vectors: service, sql }: RunningVectorStore): Promise<number> {
  await collections.deleteCollection({ name: "ingest" }).catch(() => undefined);
  await collections.createCollection({ name: "ingest", dimensions: DIMENSIONS });
  await sql.query("CHECKPOINT");
  return await secondsOf(async () => {
    let inserted = 0n;
    for await (const answer of service.ingest(messages("ingest"))) inserted += answer.inserted;
    if (inserted !== BigInt(rows)) throw new Error(`${inserted} rows were stored, not ${rows}`);
  });
}

const ROWS_A_CHUNK = 100;
const COPY_HEADER = Buffer.from("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", "latin1");

/** The rows `from` to `to - 1` in COPY's binary form. */
function copyChunk(from: number, to: number): Buffer {
  const chunk = Buffer.allocUnsafe((to - from) * (2 + 4 + 16 + 4 + 4 + VECTOR_BYTES));
  let at = 0;
  for (let row = from; row < to; row++) {
    const key = keys[row] as string;
    at = chunk.writeInt16BE(2, at);
    at = chunk.writeInt32BE(key.length, at);
    at += chunk.write(key, at, "latin1");
    at = chunk.writeInt32BE(4 + VECTOR_BYTES, at);
    at = chunk.writeInt16BE(DIMENSIONS, at);
    at = chunk.writeInt16BE(0, at);
    vectors.copy(chunk, at, row * VECTOR_BYTES, (row + 1) * VECTOR_BYTES);
    chunk.subarray(at, at + VECTOR_BYTES).swap32();
    at += VECTOR_BYTES;
  }
  return chunk.subarray(0, at);
}

/** @returns seconds until the rows are committed */
async function bareCopy(databaseUrl: string): Promise<number> {
  const client = new PgClient({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query("DROP TABLE IF EXISTS bare");
    await client.query(
      `CREATE TABLE bare (key TEXT COLLATE "C" PRIMARY KEY, embedding vector(${DIMENSIONS}) NOT NULL,
         updated_at TIMESTAMPTZ NOT NULL DEFAULT now())`,
    );
    await client.query("ALTER TABLE bare ALTER COLUMN embedding SET STORAGE PLAIN");
    await client.query("CHECKPOINT");
    return await secondsOf(async () => {
      const stream = client.query(copyFrom("COPY bare (key, embedding) FROM STDIN (FORMAT binary)"));
      stream.write(COPY_HEADER);
      for (let start = 0; start < rows; start += ROWS_A_CHUNK) {
        const chunk = copyChunk(start, Math.min(rows, start + ROWS_A_CHUNK));
        if (!stream.write(chunk)) await once(stream, "drain");
      }
      stream.end(Buffer.from([0xff, 0xff]));
      await once(stream, "finish");
      if (stream.rowCount !== rows) throw new Error(`${stream.rowCount} rows were copied, not ${rows}`);
    });
  } finally {
    await client.end();
  }
}

/** Rows and vectors are the same in both tables. */
async function compareTables({ collections, sql }: RunningVectorStore): Promise<void> {
  const { collection } = await collections.getCollection({ name: "ingest" });
  const { schema, table } = collection?.table ?? { schema: "", table: "" };
  const { rows: counted } = await sql.query<{ same: string }>(
    `SELECT count(*) AS same FROM bare b JOIN ${escapeIdentifier(schema)}.${escapeIdentifier(table)} i
        ON i.key = b.key AND i.embedding = b.embedding`,
  );
  if (counted[0]?.same !== String(rows)) throw new Error(`${counted[0]?.same} of ${rows} rows are the same`);
}

await using store = await startVectorStore({
  nodeArgs: options["node-args"].split(" ").filter((argument) => argument !== ""),
});
console.log(store.database);
console.log(`${rows} x ${DIMENSIONS} in batches of ${batch}`);
const seconds = await runRounds(
  [
    { name: "Ingest", run: () => ingest(store) },
    { name: "bare COPY", run: () => bareCopy(store.databaseUrl) },
  ],
  {
    rounds: Number(options.rounds),
    budgetS: BUDGET_S,
    onRun: (name, took) => console.log(`  ${name.padEnd(20)} ${took.toFixed(2)} s`),
  },
);
await compareTables(store);
const [own = [], bare = []] = [...seconds.values()];
for (const [name, values] of seconds) {
  const took = median(values);
  console.log(`${name.padEnd(12)} ${took.toFixed(2)} s   ${(rows / took).toFixed(0)} rows/s`);
}
// Ratios are taken within a round.
const ratios = own.map((took, i) => (bare[i] ?? Number.NaN) / took);
console.log(
  `of a bare COPY ${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})   goal ${GOAL}`,
);
