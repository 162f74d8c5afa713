// MB/s of the embedding cache, written and read, against the same bytes written and read barely; and opening it.
// usage: node bench/embedding-cache.ts [--records 300000] [--dimensions 384] [--append 256] [--checkpoint 20000] [--rounds 5] [--folder /tmp]
// Bare writes go to one file in pieces of the cache's block size and are synced as often as the cache is. See bench/README.md.
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openEmbeddingCacheReader, openEmbeddingCacheWriter } from "@kindred/embedding-cache";
import { median } from "./statistics.ts";
import { clusteredVectors } from "./support/clustered-vectors.ts";
import { runRounds, secondsOf, type Contestant } from "./support/rounds.ts";

const { values: options } = parseArgs({
  options: {
    records: { type: "string", default: "300000" },
    dimensions: { type: "string", default: "384" },
    /** Records of an append. */
    append: { type: "string", default: "256" },
    /** Records from one checkpoint to the next. */
    checkpoint: { type: "string", default: "20000" },
    rounds: { type: "string", default: "5" },
    /** Where the files are made; a file system in memory has nothing to sync. */
    folder: { type: "string", default: tmpdir() },
  },
});

const BLOCK_BYTES = 4 * 2 ** 20;
const MB = 1e6;
const BUDGET_S = 600;

const records = Number(options.records);
const dimensions = Number(options.dimensions);
const append = Number(options.append);
const checkpoint = Number(options.checkpoint);
const shape = { spaceId: "bench", dimensions };
const recordBytes = 8 + 4 * dimensions;
const bytes = records * recordBytes;

// Nothing depends on the values; some thousand vectors, over and over, are made in a moment.
const distinct = clusteredVectors({ dimensions, clusters: 100 }).next(
  Math.min(records, 20_000) + append,
).vectors;
const distinctRows = distinct.length / dimensions - append;

const folder = await mkdtemp(join(options.folder, "kindred-bench-"));
const cache = join(folder, "cache");
const file = join(folder, "bare");

async function writeCache(): Promise<number> {
  await rm(cache, { recursive: true, force: true });
  return await secondsOf(async () => {
    await using writer = await openEmbeddingCacheWriter(cache, shape, { blockBytes: BLOCK_BYTES });
    let since = 0;
    for (let first = 0; first < records; first += append) {
      const count = Math.min(append, records - first);
      const row = first % distinctRows;
      const ids = BigInt64Array.from({ length: count }, (_, i) => BigInt(first + i));
      await writer.append(ids, distinct.subarray(row * dimensions, (row + count) * dimensions));
      since += count;
      if (since < checkpoint) continue;
      await writer.checkpoint();
      since = 0;
    }
  });
}

async function writeBare(): Promise<number> {
  await rm(file, { force: true });
  const piece = Buffer.alloc(
    BLOCK_BYTES,
    new Uint8Array(distinct.buffer, 0, Math.min(BLOCK_BYTES, distinct.byteLength)),
  );
  return await secondsOf(async () => {
    await using handle = await open(file, "w");
    const syncBytes = checkpoint * recordBytes;
    let since = 0;
    for (let at = 0; at < bytes;) {
      const length = Math.min(piece.length, bytes - at, syncBytes - since);
      await handle.write(piece, 0, length, at);
      at += length;
      since += length;
      if (since < syncBytes) continue;
      await handle.datasync();
      since = 0;
    }
    await handle.datasync();
  });
}

async function readCache(): Promise<number> {
  return await secondsOf(async () => {
    await using reader = await openEmbeddingCacheReader(cache);
    let count = 0;
    for await (const block of reader.blocks()) count += block.ids.length;
    if (count !== records) throw new Error(`${count} records were read, not ${records}`);
  });
}

async function openCache(): Promise<number> {
  return await secondsOf(async () => {
    await using reader = await openEmbeddingCacheReader(cache);
    if (reader.ids.count !== records) throw new Error(`${reader.ids.count} ids, not ${records}`);
  });
}

async function readBare(): Promise<number> {
  return await secondsOf(async () => {
    await using handle = await open(file, "r");
    for (let at = 0; at < bytes;) {
      const { bytesRead } = await handle.read(Buffer.allocUnsafeSlow(BLOCK_BYTES), 0, BLOCK_BYTES, at);
      at += bytesRead;
    }
  });
}

const contestants: Contestant[] = [
  { name: "cache, written", run: writeCache },
  { name: "bare, written", run: writeBare },
  { name: "cache, read", run: readCache },
  { name: "bare, read", run: readBare },
  { name: "cache, opened", run: openCache },
];
try {
  console.log(
    `${records} x ${dimensions}: ${(bytes / MB).toFixed(0)} MB in ${options.folder}; ${append} an append, a checkpoint every ${checkpoint}`,
  );
  // The rounds go back and forth: what is read must be there by then.
  await writeCache();
  await writeBare();
  const seconds = await runRounds(contestants, {
    rounds: Number(options.rounds),
    budgetS: BUDGET_S,
    onRun: (name, took) => console.log(`  ${name.padEnd(24)} ${took.toFixed(3)} s`),
  });
  for (const [name, values] of seconds) {
    const took = median(values);
    const rate = name === "cache, opened" ? "" : `${(bytes / MB / took).toFixed(0).padStart(6)} MB/s`;
    console.log(`${name.padEnd(16)} ${took.toFixed(3)} s ${rate}`);
  }
  for (const what of ["written", "read"]) {
    const own = seconds.get(`cache, ${what}`) ?? [];
    const bare = seconds.get(`bare, ${what}`) ?? [];
    // Ratios are taken within a round.
    const ratios = own.map((took, i) => (bare[i] ?? Number.NaN) / took);
    const [low, high] = [Math.min(...ratios), Math.max(...ratios)];
    console.log(`${what}: ${median(ratios).toFixed(2)} of bare (${low.toFixed(2)} to ${high.toFixed(2)})`);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
