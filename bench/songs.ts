// Songs from a PostgreSQL to searchable vectors by the commands that people type: seconds and peak memory of each.
//   node bench/songs.ts [--songs 1000000] [--dimensions 384] [--rounds 3] [--batch-size 2048] [--until cache|setup|embed|upload|index]
// See bench/README.md.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openParquetFile } from "@kindred/parquet";
import { openSongSource, readManifest, songsLayout, type SongsLayout } from "@kindred/songs";
import { Client } from "pg";
import Cursor from "pg-cursor";
import { median } from "./statistics.ts";
import { runKindred, type KindredRun } from "./support/kindred-process.ts";
import { runRounds, secondsOf } from "./support/rounds.ts";
import { makeSongs } from "./support/song-source.ts";
import { BENCH_MODEL, startSongsStack, type SongsStack } from "./support/songs-stack.ts";

const { values: options } = parseArgs({
  options: {
    songs: { type: "string", default: "1000000" },
    dimensions: { type: "string", default: "384" },
    rounds: { type: "string", default: "3" },
    "batch-size": { type: "string", default: "2048" },
    until: { type: "string", default: "index" },
  },
});
const songs = Number(options.songs);
const dimensions = Number(options.dimensions);
const PEAK_GOAL_MIB = 600;
const READ_GOAL = 10;
const CURSOR_ROWS = 2_000;
const MIB = 2 ** 20;

/** Up to the step that `--until` names. */
function commandLines(stack: SongsStack, { folder }: SongsLayout): string[][] {
  const at = ["--folder", folder];
  const embed = ["--model", BENCH_MODEL, "--workers", "8", "--batch-size", options["batch-size"]];
  const lines = [
    ["songs", "cache", ...at],
    ["songs", "setup", "--model", BENCH_MODEL, ...at],
    ["songs", "embed", ...embed, ...at],
    ["songs", "upload", "--store", stack.storeAddress, ...at],
    ["index", "create", "songs"],
  ];
  const last = lines.findIndex(([group, name]) => options.until === (group === "index" ? group : name));
  if (last < 0) throw new Error(`--until ${options.until} is none of cache, setup, embed, upload, index`);
  return [...lines.slice(0, last + 1), ["songs", "status", ...at]];
}

async function runAll(stack: SongsStack, layout: SongsLayout): Promise<KindredRun[]> {
  const runs: KindredRun[] = [];
  for (const args of commandLines(stack, layout)) {
    const run = await runKindred(args, { env: stack.env });
    console.log(`  kindred ${args.slice(0, 2).join(" ")}  ${run.seconds.toFixed(1)} s`);
    if (run.code !== 0)
      throw new Error(`kindred ${args.join(" ")} ended with ${run.code}:\n${run.out}\n${run.err}`);
    runs.push(run);
  }
  console.log(runs.at(-1)?.out);
  return runs;
}

interface Seen {
  rows: number;
  characters: number;
}

/** What a program does that needs every song: the ids and texts as values of JavaScript. */
async function readParquet(layout: SongsLayout): Promise<Seen> {
  const seen: Seen = { rows: 0, characters: 0 };
  for (const { name } of (await readManifest(layout.manifest))?.files ?? []) {
    await using reader = await openParquetFile(layout.songs(name));
    for await (const { rows, columns } of reader.batches()) {
      seen.rows += rows;
      const lyrics = columns["lyrics"] as ArrayLike<string>;
      for (let i = 0; i < rows; i += 1) seen.characters += (lyrics[i] as string).length;
    }
  }
  return seen;
}

/** The query as people write it: a cursor of `pg`, rows as objects. */
async function readByQuery(url: string, columns: string): Promise<Seen> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const seen: Seen = { rows: 0, characters: 0 };
  const cursor = client.query(
    new Cursor<{ lyrics?: string }>(`SELECT ${columns} FROM songs WHERE lyrics IS NOT NULL ORDER BY id`),
  );
  for (;;) {
    const rows = await cursor.read(CURSOR_ROWS);
    if (rows.length === 0) break;
    seen.rows += rows.length;
    for (const { lyrics = "" } of rows) seen.characters += lyrics.length;
  }
  await client.end();
  return seen;
}

/** The query as `kindred songs cache` makes it. */
async function readBySource(url: string): Promise<Seen> {
  const columns = { id: "id", name: "name", artist: "artist", lyrics: "lyrics" };
  await using source = await openSongSource({ url, selection: { table: "songs", query: null, columns } });
  const seen: Seen = { rows: 0, characters: 0 };
  for await (const { ids, lyrics } of source.read(undefined, new AbortController().signal)) {
    seen.rows += ids.length;
    for (const text of lyrics) seen.characters += text.length;
  }
  return seen;
}

/** What going on after a stop needs. */
async function readParquetIds(layout: SongsLayout): Promise<Seen> {
  const seen: Seen = { rows: 0, characters: 0 };
  for (const { name } of (await readManifest(layout.manifest))?.files ?? []) {
    await using reader = await openParquetFile(layout.songs(name));
    for await (const { rows } of reader.batches({ columns: ["id"] })) seen.rows += rows;
  }
  return seen;
}

interface Way {
  name: string;
  read: () => Promise<Seen>;
}

async function compareReading(what: string, ways: readonly [Way, ...Way[]]): Promise<void> {
  const results = new Set<string>();
  const cpuSeconds = new Map<string, number[]>();
  const timed = ({ name, read }: Way) => ({
    name,
    run: async () => {
      const before = process.cpuUsage();
      const seconds = await secondsOf(async () => results.add(JSON.stringify(await read())));
      const { user, system } = process.cpuUsage(before);
      cpuSeconds.set(name, [...(cpuSeconds.get(name) ?? []), (user + system) / 1e6]);
      return seconds;
    },
  });
  const seconds = await runRounds(ways.map(timed), { rounds: Number(options.rounds), budgetS: 1_800 });
  if (results.size !== 1) throw new Error(`not everybody read the same: ${[...results].join(", ")}`);
  const [{ name: first }] = ways;
  const parquet = median(seconds.get(first) ?? []);
  console.log(
    `reading ${what}, medians of ${seconds.get(first)?.length} rounds   goal of the query ${READ_GOAL}`,
  );
  console.table(
    [...seconds].map(([name, values]) => ({
      "read by": name,
      s: median(values).toFixed(2),
      // Of this process; the database's own, on another core, is not in it.
      "CPU s": median(cpuSeconds.get(name) ?? []).toFixed(2),
      "songs/s": Math.round(songs / median(values)),
      "times Parquet": (median(values) / parquet).toFixed(1),
    })),
  );
}

await using stack = await startSongsStack({ dimensions });
console.log(stack.database);
const layout = songsLayout(join(stack.folder, "songs"));
const made = await secondsOf(() => makeSongs(stack.sourceUrl, { songs }));
console.log(`${songs} songs, ${dimensions} dimensions; made in ${made.toFixed(1)} s`);
const runs = await runAll(stack, layout);
console.log(`goal of the peak ${PEAK_GOAL_MIB} MiB`);
console.table(
  runs.map(({ args, seconds, peakBytes }) => ({
    command: `kindred ${args.slice(0, 2).join(" ")}`,
    s: seconds.toFixed(1),
    "songs/s": Math.round(songs / seconds),
    "peak MiB": Math.round(peakBytes / MIB),
  })),
);
await compareReading("all songs", [
  { name: "Parquet", read: () => readParquet(layout) },
  { name: "query by a cursor", read: () => readByQuery(stack.sourceUrl, "id, name, artist, lyrics") },
  { name: "query of songs cache", read: () => readBySource(stack.sourceUrl) },
]);
await compareReading("all ids", [
  { name: "Parquet", read: () => readParquetIds(layout) },
  { name: "query by a cursor", read: () => readByQuery(stack.sourceUrl, "id") },
]);
if (runs.some(({ peakBytes }) => peakBytes > PEAK_GOAL_MIB * MIB)) process.exitCode = 1;
