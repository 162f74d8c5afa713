// Kills each command of the songs' pipeline at random points, goes on, and compares what comes of it with an undisturbed run's.
//   node bench/songs-crash.ts [--points 50] [--songs 20000] [--dimensions 64] [--seed 1] [--commands setup,cache,embed,upload]
// See bench/README.md.
import { createHash } from "node:crypto";
import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openEmbeddingCacheReader } from "@kindred/embedding-cache";
import { openParquetFile } from "@kindred/parquet";
import { readManifest, songsLayout } from "@kindred/songs";
import { Client } from "pg";
import { runKindred, type KindredRun } from "./support/kindred-process.ts";
import { makeSongs } from "./support/song-source.ts";
import { BENCH_MODEL, startSongsStack } from "./support/songs-stack.ts";
import { randomNumbers } from "./support/texts.ts";

const { values: options } = parseArgs({
  options: {
    points: { type: "string", default: "50" },
    songs: { type: "string", default: "20000" },
    dimensions: { type: "string", default: "64" },
    seed: { type: "string", default: "1" },
    commands: { type: "string", default: "setup,cache,embed,upload" },
  },
});
const points = Number(options.points);
const random = randomNumbers(Number(options.seed));

await using stack = await startSongsStack({ dimensions: Number(options.dimensions) });
const database = new Client({ connectionString: stack.databaseUrl });
await database.connect();

type Command = "setup" | "cache" | "embed" | "upload";

/** Synced every second, and small batches, so that there are many points. */
const ARGS: Record<Command, readonly string[]> = {
  setup: ["--model", BENCH_MODEL],
  cache: [],
  embed: ["--model", BENCH_MODEL, "--checkpoint", "1", "--batch-size", "64"],
  upload: ["--store", stack.storeAddress, "--batch-size", "200"],
};

async function run(command: Command, folder: string, killAfterMs?: number): Promise<KindredRun> {
  let timer: NodeJS.Timeout | undefined;
  const ended = await runKindred(["songs", command, "--folder", folder, ...ARGS[command]], {
    env: stack.env,
    onStart: (pid) => {
      if (killAfterMs !== undefined) timer = setTimeout(() => process.kill(pid, "SIGKILL"), killAfterMs);
    },
  });
  clearTimeout(timer);
  return ended;
}

async function runWhole(command: Command, folder: string): Promise<KindredRun> {
  const ended = await run(command, folder);
  if (ended.code === 0) return ended;
  throw new Error(`kindred songs ${command} ended with ${ended.code}:\n${ended.out}\n${ended.err}`);
}

/** The songs' files, as rows: how they are spread over files is nobody's business. */
async function songsHash(folder: string): Promise<string> {
  const layout = songsLayout(folder);
  const hash = createHash("sha256");
  for (const { name } of (await readManifest(layout.manifest))?.files ?? []) {
    await using reader = await openParquetFile(layout.songs(name));
    for await (const { rows, columns } of reader.batches()) {
      for (let i = 0; i < rows; i++) {
        hash.update(
          `${String(columns["id"]?.[i])}\t${String(columns["name"]?.[i])}\t${String(columns["lyrics"]?.[i])}\n`,
        );
      }
    }
  }
  return hash.digest("hex");
}

/** Vectors in the order of their ids: that in which they were written is chance. */
async function embeddingsHash(folder: string): Promise<string> {
  await using cache = await openEmbeddingCacheReader(songsLayout(folder).embeddings);
  const { dimensions } = cache.shape;
  const vectors: [id: bigint, vector: Float32Array][] = [];
  for await (const block of cache.blocks()) {
    for (const [i, id] of block.ids.entries())
      vectors.push([id, block.vectors.subarray(i * dimensions, (i + 1) * dimensions)]);
  }
  const hash = createHash("sha256");
  for (const [id, vector] of vectors.toSorted(([one], [other]) => Number(one - other)))
    hash.update(`${id}\n`).update(vector);
  return hash.digest("hex");
}

async function tableHash(): Promise<string> {
  const { rows } = await database.query<{ hash: string; rows: number }>(
    "SELECT count(*)::int AS rows, md5(string_agg(song_id || ' ' || embedding::text, ',' ORDER BY song_id)) AS hash FROM song_embeddings",
  );
  return `${rows[0]?.rows} rows, ${rows[0]?.hash}`;
}

async function schemaHash(): Promise<string> {
  const { rows } = await database.query(
    `SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute
     WHERE attrelid = 'song_embeddings'::regclass AND attnum > 0 ORDER BY attnum`,
  );
  const shown = await runKindred(["collections", "show", "songs", "--json"], { env: stack.env });
  const { created_at: _, ...collection } = JSON.parse(shown.out) as Record<string, unknown>;
  return JSON.stringify([rows, collection]);
}

const work = join(stack.folder, "work");
const before = (command: Command): string => join(stack.folder, `before-${command}`);

/** The folder, and the database, as they are before the command. */
async function prepare(command: Command): Promise<void> {
  await rm(work, { recursive: true, force: true });
  if (command !== "setup") await cp(before(command), work, { recursive: true });
  if (command === "upload") await database.query("TRUNCATE song_embeddings");
  if (command === "setup") {
    await runKindred(["collections", "delete", "songs", "--yes"], { env: stack.env });
    await database.query("DROP TABLE IF EXISTS song_embeddings");
  }
}

const RESULTS: Record<Command, () => Promise<string>> = {
  setup: schemaHash,
  cache: () => songsHash(work),
  embed: () => embeddingsHash(work),
  upload: tableHash,
};

console.log(stack.database);
await makeSongs(stack.sourceUrl, { songs: Number(options.songs) });
const expected = new Map<Command, { result: string; seconds: number }>();
const commands = ["setup", "cache", "embed", "upload"] as const;
for (const command of commands) {
  if (command !== "setup") await cp(work, before(command), { recursive: true });
  const { seconds } = await runWhole(command, work);
  expected.set(command, { result: await RESULTS[command](), seconds });
}
console.log(`${options.songs} songs; undisturbed: ${expected.get("upload")?.result}`);

const table: Record<string, unknown>[] = [];
for (const command of commands.filter((name) => options.commands.split(",").includes(name))) {
  const { result, seconds } = expected.get(command) as { result: string; seconds: number };
  let [killed, same, early] = [0, 0, 0];
  let resumeSeconds = 0;
  /** How long it takes, as far as that was seen: a run that ended by itself was shorter than the moment that was drawn. */
  let shortest = seconds;
  while (killed < points) {
    await prepare(command);
    const first = await run(command, work, 1_000 * shortest * random());
    if (first.code !== null) {
      early += 1;
      shortest = Math.min(shortest, first.seconds);
      continue;
    }
    killed += 1;
    const resumed = await runWhole(command, work);
    resumeSeconds += resumed.seconds;
    const now = await RESULTS[command]();
    if (now === result) same += 1;
    else console.log(`${command}, kill ${killed}: ${now}, not ${result}\n${resumed.err}`);
  }
  table.push({
    command: `kindred songs ${command}`,
    killed,
    "same result": same,
    "ended before": early,
    "undisturbed s": seconds.toFixed(1),
    "resumed s, mean": (resumeSeconds / points).toFixed(1),
  });
  if (same < points) process.exitCode = 1;
}
console.table(table);
await database.end();
