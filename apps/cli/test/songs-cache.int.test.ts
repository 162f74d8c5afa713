import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, expect, jest, test } from "@jest/globals";
import { openParquetFile } from "@kindred/parquet";
import { readManifest, songsLayout, type SongsLayout } from "@kindred/songs";
import { temporaryFolder, testDatabase, type TestDatabase } from "@kindred/testing";
import { Client } from "pg";
import { Kindred, kindred, until } from "./kindred.ts";

// The command as a process of its own, which Ctrl+C and SIGKILL reach in the middle. A process takes a second to start, and longer on a busy machine.
jest.setTimeout(180_000);

const SONGS = 6_000;
/** One in a hundred has no lyrics. */
const WITH_LYRICS = 5_940;
const KILLS = 3;
const FILE_ROWS = "1000";
/** Comes slowly, so that there is a middle. */
const SLOWLY = `
  SELECT id, name, artist, lyrics || CASE WHEN id % 100 = 50 THEN pg_sleep(0.02)::text ELSE '' END AS lyrics
  FROM songs ORDER BY id`;

/** Stops in the middle for as long as somebody holds the lock. */
const GATE = 4711;
const THROUGH_A_GATE = `
  SELECT id, name, artist, lyrics || CASE WHEN id = 3500 THEN pg_advisory_xact_lock_shared(${GATE})::text ELSE '' END AS lyrics
  FROM songs ORDER BY id`;

let database: TestDatabase;
let client: Client;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let number = 0;
let layout: SongsLayout;

beforeAll(async () => {
  folder = await temporaryFolder();
  database = await testDatabase();
  client = new Client({ connectionString: database.url });
  client.on("error", () => undefined);
  await client.connect();
  await client.query("CREATE TABLE songs (id integer PRIMARY KEY, name text, artist text, lyrics text)");
  await client.query(`
    INSERT INTO songs SELECT i, 'Song ' || i, 'Artist ' || i % 100, CASE WHEN i % 100 > 0 THEN repeat(md5(i::text) || ' ', 60) END
    FROM generate_series(1, ${SONGS}) AS i`);
});

afterAll(async () => {
  await client?.end();
  await database?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
});

beforeEach(() => {
  layout = songsLayout(join(folder.path, String((number += 1))));
});

const env = (): Record<string, string> => ({ POSTGRES_URL: database.url, KINDRED_HOME: folder.path });
const cacheArgs = (...more: string[]): string[] => [
  "songs",
  "cache",
  "--folder",
  layout.folder,
  "--file-rows",
  FILE_ROWS,
  ...more,
];
const slowArgs = (): string[] => cacheArgs("--query", SLOWLY);

/** Of every value of every row of the files, in their order. */
async function hashOfFiles(): Promise<string> {
  const hash = createHash("sha256");
  for (const { name } of (await readManifest(layout.manifest))?.files ?? []) {
    await using reader = await openParquetFile(layout.songs(name));
    for await (const { rows, columns } of reader.batches()) {
      const { id, name: names, artist, lyrics } = columns;
      for (let i = 0; i < rows; i += 1)
        hash.update(
          `${String(id?.[i])}\t${String(names?.[i])}\t${String(artist?.[i])}\t${String(lyrics?.[i])}\n`,
        );
    }
  }
  return hash.digest("hex");
}

/** The same of the table. */
async function hashOfTable(): Promise<string> {
  const { rows } = await client.query<Record<string, string>>(
    "SELECT id, name, artist, lyrics FROM songs WHERE lyrics IS NOT NULL ORDER BY id",
  );
  const hash = createHash("sha256");
  for (const { id, name, artist, lyrics } of rows) hash.update(`${id}\t${name}\t${artist}\t${lyrics}\n`);
  return hash.digest("hex");
}

async function filesBegun(): Promise<number> {
  try {
    return (await readdir(layout.folder)).filter((name) => name.startsWith("songs-")).length;
  } catch {
    return 0;
  }
}

test("reads all songs, says so as JSON, and never says the password", async () => {
  const { code, out, err } = await kindred(cacheArgs("--json"), env());
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(JSON.parse(out)).toMatchObject({
    rows: WITH_LYRICS,
    rows_read: WITH_LYRICS,
    skipped: SONGS - WITH_LYRICS,
    min_id: "1",
    max_id: String(SONGS - 1),
  });
  expect(await hashOfFiles()).toBe(await hashOfTable());

  const status = await kindred(["songs", "status", "--folder", layout.folder, "--json", "--verify"], {
    KINDRED_HOME: folder.path,
  });
  expect(status.code).toBe(0);
  const {
    manifest,
    runs,
    damaged_files: damaged,
  } = JSON.parse(status.out) as {
    manifest: { rows: number; source: { server: string } };
    runs: Record<string, { state: string; progress: { done: number } }>;
    damaged_files: unknown[];
  };
  expect(manifest.rows).toBe(WITH_LYRICS);
  expect(runs).toMatchObject({ cache: { state: "done", progress: { done: WITH_LYRICS } } });
  expect(damaged).toEqual([]);
  const { password } = new URL(database.url);
  if (password !== "") expect(status.out + out).not.toContain(password);
});

test("killed at any point, it goes on, and ends with the same songs", async () => {
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const running = new Kindred(slowArgs(), env());
    const before = await filesBegun();
    // Something new has begun; then anywhere in it.
    await until(async () => (await filesBegun()) > before || running.child.exitCode !== null);
    await sleep(Math.random() * 200);
    running.child.kill("SIGKILL");
    await running.outcome();
    const killed = await kindred(["songs", "status", "--folder", layout.folder, "--json"], env());
    if (killed.code !== 0) throw new Error(killed.err);
  }
  const { code, err } = await kindred(slowArgs(), env());
  expect({ code, err }).toMatchObject({ code: 0 });
  expect((await readManifest(layout.manifest))?.rows).toBe(WITH_LYRICS);
  expect((await readManifest(layout.manifest))?.skipped).toBe(SONGS - WITH_LYRICS);
  expect(await hashOfFiles()).toBe(await hashOfTable());
  const names = (await readManifest(layout.manifest))?.files.map(({ name }) => name) ?? [];
  expect((await readdir(layout.folder)).toSorted()).toEqual(["manifest.json", "runs", ...names]);
});

test("Ctrl+C keeps what has come, says how to go on, and status sees all of it", async () => {
  if (database.kind === "pglite") {
    process.stdout.write("not run: PGlite's advisory locks make nobody wait\n");
    return;
  }
  await client.query("SELECT pg_advisory_lock($1)", [GATE]);
  const args = cacheArgs("--query", THROUGH_A_GATE);
  const running = new Kindred(args, env());
  await until(async () => ((await readManifest(layout.nextManifest))?.rows ?? 0) >= 2_000);
  const seen = await kindred(["songs", "status", "--folder", layout.folder], env());
  expect(seen.out).toMatch(/cache +running, pid \d+/);
  const second = await kindred(args, env());
  expect(second).toMatchObject({ code: 1 });
  expect(second.err).toMatch(/kindred songs cache runs on .* already, as process \d+/);
  running.child.kill("SIGINT");
  const { code, out, err } = await running.outcome();
  expect({ code, out }).toEqual({ code: 130, out: "" });
  expect(err).toContain(`Stopped; what was done so far is kept in ${layout.folder}.`);
  expect(err).toContain(`Go on with: kindred songs cache --folder ${layout.folder} --query`);
  expect((await kindred(["songs", "status", "--folder", layout.folder], env())).out).toContain("interrupted");
  const kept = (await readManifest(layout.nextManifest))?.rows ?? 0;
  expect(kept).toBeGreaterThanOrEqual(2_000);
  expect(kept).toBeLessThan(3_500);
  await client.query("SELECT pg_advisory_unlock($1)", [GATE]);
  const again = await kindred([...args, "--json"], env());
  expect(JSON.parse(again.out)).toMatchObject({ rows: WITH_LYRICS, rows_read: WITH_LYRICS - kept });
  expect(await hashOfFiles()).toBe(await hashOfTable());
});

test("a file that may not grow ends it with a message and exit code 73, and what is complete stays", async () => {
  const bin = fileURLToPath(new URL("../bin/kindred.mjs", import.meta.url));
  // Files of at most 8 KiB: what a full disk is to a program, without one.
  const limited = spawnSync(
    "bash",
    ["-c", 'ulimit -f 8; exec "$@"', "bash", process.execPath, bin, ...cacheArgs()],
    { env: { ...process.env, ...env(), NO_COLOR: "1" }, encoding: "utf8" },
  );
  expect(limited.stderr).toMatch(/error: .*songs-000001\.parquet/);
  expect(limited.status).toBe(73);
  expect(await readManifest(layout.manifest)).toBeUndefined();
  expect(await kindred(cacheArgs(), env())).toMatchObject({ code: 0 });
  expect(await hashOfFiles()).toBe(await hashOfTable());
});

test("status --verify names a file that was changed", async () => {
  await kindred(cacheArgs(), env());
  const [first] = (await readManifest(layout.manifest))?.files ?? [];
  await writeFile(layout.songs(first?.name ?? ""), "other");
  const { code, out } = await kindred(["songs", "status", "--folder", layout.folder, "--verify"], env());
  expect(code).toBe(65);
  expect(out).toContain(`${first?.name} has 5 bytes instead of ${first?.bytes}`);
});

test.each<[string, () => Record<string, string>, string[], number, RegExp]>([
  ["no database is named", () => ({ POSTGRES_URL: "" }), [], 78, /POSTGRES_URL is required/],
  [
    "it is not there",
    () => ({ POSTGRES_URL: "postgresql://me:hidden@127.0.0.1:1/music" }),
    [],
    69,
    /The songs' database 127.0.0.1:1\/music cannot be reached, or is gone \(ECONNREFUSED\)/,
  ],
  ["there is no such table", () => ({}), ["--table", "tunes"], 2, /relation "tunes" does not exist/],
  ["both table and query are named", () => ({}), ["--table", "a", "--query", "b"], 2, /give one of them/],
  ["the URL is none", () => ({}), ["--source-url", "mysql://hidden"], 2, /--source-url must be a URL/],
])("when %s, it says so", async (_what, more, args, exitCode, message) => {
  const { code, out, err } = await kindred(cacheArgs(...args), { ...env(), ...more() });
  expect({ code, out }).toEqual({ code: exitCode, out: "" });
  expect(err).toMatch(message);
  expect(err).not.toContain("hidden");
});

test("when the password is wrong, it says so", async () => {
  const url = new URL(database.url);
  if (url.password === "") {
    process.stderr.write("not run: this database asks for no password\n");
    return;
  }
  url.password = "hidden";
  const { code, err } = await kindred(cacheArgs(), { ...env(), POSTGRES_URL: url.href });
  expect(code).toBe(78);
  expect(err).toContain("refuses the user or password of POSTGRES_URL");
  expect(err).not.toContain("hidden");
});
