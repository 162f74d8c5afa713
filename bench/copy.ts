// Rows/s into song_embeddings: Ingest by COPY and by INSERT of many rows, against INSERTs of a row each by bare pg.
// usage: node bench/copy.ts [--rows 50000] [--single 3000] [--dimensions 384] [--batch 5000] [--rounds 3]
import { parseArgs } from "node:util";
import { WriteMethod } from "@kindred/contracts/vector-store/v1";
import { median } from "./statistics.ts";
import { clusteredVectors } from "./support/clustered-vectors.ts";
import { runRounds, secondsOf } from "./support/rounds.ts";
import { startVectorStore, type RunningVectorStore } from "./support/vector-service.ts";

const { values: options } = parseArgs({
  options: {
    rows: { type: "string", default: "50000" },
    /** Of the contestants that send a row at a time. */
    single: { type: "string", default: "3000" },
    dimensions: { type: "string", default: "384" },
    batch: { type: "string", default: "5000" },
    rounds: { type: "string", default: "3" },
  },
});

const GOAL = 10;
const BUDGET_S = 600;
const ROWS_A_TRANSACTION = 1000;
const COLLECTION = "songs";
const TABLE = "song_embeddings";
/** What a database has that is not a benchmark's. */
const DURABLE = { fsync: "on", full_page_writes: "on", synchronous_commit: "on" };

const rows = Number(options.rows);
const single = Math.min(rows, Number(options.single));
const dimensions = Number(options.dimensions);
const batch = Number(options.batch);
const vectorBytes = 4 * dimensions;
// Nobody does anything that depends on the values; some thousand of them, over and over, are made in a moment.
const distinct = Math.min(rows, 5000);
const values = clusteredVectors({ dimensions, clusters: 50 }).next(distinct).vectors;
const packed = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
const valuesOf = (row: number): Float32Array => {
  const start = (row % distinct) * dimensions;
  return values.subarray(start, start + dimensions);
};

/** Keys `from` to `to - 1`, with their vectors. */
function itemsOf(from: number, to: number) {
  const vectors = Buffer.allocUnsafe((to - from) * vectorBytes);
  for (let row = from; row < to; row++) {
    const start = (row % distinct) * vectorBytes;
    packed.copy(vectors, (row - from) * vectorBytes, start, start + vectorBytes);
  }
  return { keys: Array.from({ length: to - from }, (_, i) => String(from + i)), vectors };
}

async function* messages(writeMethod: WriteMethod) {
  yield { message: { case: "options" as const, value: { collection: COLLECTION, writeMethod } } };
  for (let from = 0; from < rows; from += batch) {
    const items = itemsOf(from, Math.min(rows, from + batch));
    yield { message: { case: "batch" as const, value: { sequence: BigInt(from), items } } };
  }
}

async function emptied({ sql }: RunningVectorStore): Promise<void> {
  await sql.query(`TRUNCATE vector_store.${TABLE}`);
  await sql.query("CHECKPOINT");
}

/** @returns seconds until the last batch is answered */
async function ingest(store: RunningVectorStore, writeMethod: WriteMethod): Promise<number> {
  await emptied(store);
  const seconds = await secondsOf(async () => {
    let inserted = 0n;
    for await (const answer of store.vectors.ingest(messages(writeMethod))) inserted += answer.inserted;
    if (inserted !== BigInt(rows)) throw new Error(`${inserted} rows were stored, not ${rows}`);
  });
  await compare(store, rows);
  return seconds;
}

/** @returns seconds until the last row is committed */
async function insertRows(store: RunningVectorStore, rowsATransaction: number): Promise<number> {
  await emptied(store);
  const { sql } = store;
  const seconds = await secondsOf(async () => {
    for (let row = 0; row < single; row++) {
      const first = row % rowsATransaction === 0;
      if (rowsATransaction > 1 && first) await sql.query("BEGIN");
      await sql.query(`INSERT INTO vector_store.${TABLE} (song_id, embedding) VALUES ($1, $2)`, [
        row,
        `[${valuesOf(row).join(",")}]`,
      ]);
      const last = (row + 1) % rowsATransaction === 0 || row + 1 === single;
      if (rowsATransaction > 1 && last) await sql.query("COMMIT");
    }
  });
  await compare(store, single);
  return seconds;
}

/** Every so many-th row is what was sent, to the bit. */
async function compare({ sql }: RunningVectorStore, expected: number): Promise<void> {
  const { rows: counted } = await sql.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM vector_store.${TABLE}`,
  );
  if (counted[0]?.count !== expected) throw new Error(`${counted[0]?.count} rows are there, not ${expected}`);
  const step = Math.max(1, Math.floor(expected / 100));
  const { rows: stored } = await sql.query<{ id: number; embedding: string }>(
    `SELECT song_id AS id, embedding::text AS embedding FROM vector_store.${TABLE} WHERE song_id % $1 = 0`,
    [step],
  );
  for (const { id, embedding } of stored) {
    const read = Float32Array.from(JSON.parse(embedding) as number[]);
    if (!valuesOf(id).every((value, i) => Object.is(value, read[i])))
      throw new Error(`the vector of ${id} is not the one that was sent`);
  }
}

await using store = await startVectorStore({ settings: DURABLE });
await store.collections.registerCollection({
  name: COLLECTION,
  table: { table: TABLE, keyColumn: "song_id", vectorColumn: "embedding" },
  createTable: { dimensions },
});
console.log(store.database);
console.log(`${rows} x ${dimensions} in batches of ${batch}; ${single} of them where each is a statement`);
const contestants = [
  { name: "Ingest, COPY", count: rows, run: () => ingest(store, WriteMethod.COPY) },
  { name: "Ingest, INSERT of many", count: rows, run: () => ingest(store, WriteMethod.INSERT) },
  {
    name: `INSERT of one, ${ROWS_A_TRANSACTION} a transaction`,
    count: single,
    run: () => insertRows(store, ROWS_A_TRANSACTION),
  },
  { name: "INSERT of one, each committed", count: single, run: () => insertRows(store, 1) },
];
const seconds = await runRounds(contestants, {
  rounds: Number(options.rounds),
  budgetS: BUDGET_S,
  onRun: (name, took) => console.log(`  ${name.padEnd(42)} ${took.toFixed(2)} s`),
});
const rates = contestants.map(({ name, count }) => (seconds.get(name) ?? []).map((took) => count / took));
const [copied = []] = rates;
console.log(`\n${"".padEnd(36)}   rows/s     MB/s   COPY is so many times as fast`);
for (const [i, { name }] of contestants.entries()) {
  const rate = median(rates[i] ?? []);
  // Ratios are taken within a round.
  const ratios = copied.map((own, round) => own / (rates[i]?.[round] ?? Number.NaN));
  const times = i === 0 ? "" : `${median(ratios).toFixed(1)} (${spread(ratios)})`;
  const goal = i > 1 ? `   goal ${GOAL}` : "";
  const megabytes = ((rate * vectorBytes) / 1e6).toFixed(1);
  console.log(`${name.padEnd(36)} ${rate.toFixed(0).padStart(8)} ${megabytes.padStart(8)}   ${times}${goal}`);
}

function spread(ratios: readonly number[]): string {
  return `${Math.min(...ratios).toFixed(1)} to ${Math.max(...ratios).toFixed(1)}`;
}
