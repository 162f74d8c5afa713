import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import {
  cacheSongs,
  openSongSource,
  Progress,
  readManifest,
  songsLayout,
  startSongsRun,
  type CacheSongsOptions,
  type CacheSongsResult,
  type Selection,
  type SongsLayout,
} from "@kindred/songs";
import { openParquetFile } from "@kindred/parquet";
import { temporaryFolder, testDatabase, type TestDatabase } from "@kindred/testing";
import { Client } from "pg";

const COLUMNS = { id: "id", name: "name", artist: "artist", lyrics: "lyrics" };
const SONGS = 10_000;
/** Of a thousand songs, one has NULL, one nothing and one only spaces for lyrics. */
const WITHOUT_LYRICS = 30;

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
  await client.query(
    "CREATE TABLE songs (id bigint PRIMARY KEY, name text, artist varchar(200), lyrics text, year int)",
  );
  await client.query(`
    INSERT INTO songs
    SELECT i * 3, 'Song ' || i || ' — Ünïcödé 🎵', CASE WHEN i % 7 = 0 THEN NULL ELSE 'Artist ' || i % 100 END,
      CASE i % 1000 WHEN 1 THEN NULL WHEN 2 THEN '' WHEN 3 THEN E' \\n\\t ' ELSE repeat('la ' || i || ' ', 1 + i % 40) END, 1950 + i % 70
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

interface RunOptions extends Partial<CacheSongsOptions> {
  selection?: Partial<Selection>;
  url?: string;
  progress?: Progress;
}

async function run(options: RunOptions = {}): Promise<CacheSongsResult> {
  const { selection, url = database.url, progress, ...others } = options;
  return await cacheSongs(
    {
      layout,
      openSource: () =>
        openSongSource({
          url,
          selection: { table: "songs", query: null, columns: COLUMNS, ...selection },
        }),
      progress: progress ?? new Progress({ command: "cache", phase: "starting" }),
    },
    { mode: "once", fileRows: 3_000, signal: new AbortController().signal, note: () => {}, ...others },
  );
}

/** Every song in the files of the manifest, in their order. */
async function readAll(): Promise<unknown[][]> {
  const manifest = await readManifest(layout.manifest);
  const songs: unknown[][] = [];
  for (const { name } of manifest?.files ?? []) {
    await using reader = await openParquetFile(layout.songs(name));
    for await (const { rows, columns } of reader.batches()) {
      const { id, name: names, artist, lyrics } = columns;
      for (let i = 0; i < rows; i += 1) songs.push([String(id?.[i]), names?.[i], artist?.[i], lyrics?.[i]]);
    }
  }
  return songs;
}

/** What PostgreSQL itself says. */
async function expected(where = "true"): Promise<unknown[][]> {
  const { rows } = await client.query<unknown[]>({
    text: `SELECT id::text, name, artist::text, lyrics FROM songs WHERE lyrics ~ '\\S' AND ${where} ORDER BY songs.id`,
    rowMode: "array",
  });
  return rows;
}

/** The first song that differs: a list of thousands is no message. */
async function expectSongs(where = "true"): Promise<void> {
  const [found, wanted] = [await readAll(), await expected(where)];
  const first = wanted.findIndex((song, i) => JSON.stringify(song) !== JSON.stringify(found[i]));
  if (first >= 0) expect(found[first]).toEqual(wanted[first]);
  expect(found).toHaveLength(wanted.length);
}

const filesOf = async (path: string): Promise<string[]> => (await readdir(path)).toSorted();

function whenRead(rows: number, then: () => void): Progress {
  const progress = new Progress({ command: "cache", phase: "starting" });
  const add = progress.add.bind(progress);
  progress.add = (step) => {
    add(step);
    if (progress.snapshot().doneNow >= rows) then();
  };
  return progress;
}

describe("reading all songs", () => {
  test("gives what the table has", async () => {
    const { manifest, rows, skipped } = await run();
    expect({ rows, skipped }).toEqual({ rows: SONGS - WITHOUT_LYRICS, skipped: WITHOUT_LYRICS });
    await expectSongs();
    expect(manifest).toMatchObject({
      rows,
      skipped,
      minId: "12",
      maxId: String(3 * SONGS),
      readTo: String(3 * SONGS),
      source: { table: "songs", columns: COLUMNS },
    });
    expect(JSON.stringify(manifest)).not.toContain(new URL(database.url).password || "no password");
    // Batches are not cut in two: a file has some rows more than asked for at most.
    expect(manifest.files.length).toBeGreaterThan(2);
    expect(manifest.files.reduce((sum, file) => sum + file.rows, 0)).toBe(rows);
    expect(await filesOf(layout.folder)).toEqual([
      "manifest.json",
      ...manifest.files.map(({ name }) => name),
    ]);
  });

  test("a second run reads nothing, and needs no database", async () => {
    const first = await run();
    const second = await run({ url: "postgresql://nobody@127.0.0.1:1/none" });
    expect(second).toMatchObject({ wasComplete: true, rows: 0 });
    expect(second.manifest).toEqual(first.manifest);
  });

  test("of a query, without a column for artists, and with a comment and a semicolon behind it", async () => {
    await run({
      selection: {
        table: null,
        query: "SELECT id AS song, name, lyrics AS text FROM songs WHERE year = 1960 -- only those\n;",
        columns: { id: "song", name: "name", artist: null, lyrics: "text" },
      },
    });
    const songs = await expected("year = 1960");
    expect(await readAll()).toEqual(songs.map(([id, name, , lyrics]) => [id, name, null, lyrics]));
  });

  test("of an empty table is complete", async () => {
    await client.query("CREATE TABLE none (LIKE songs)");
    const { manifest } = await run({ selection: { table: "none" } });
    expect(manifest).toMatchObject({ rows: 0, files: [], minId: null, readTo: null });
  });
});

describe("a run that ended early", () => {
  test("by an abort keeps everything that had come, and the next one goes on behind it", async () => {
    const controller = new AbortController();
    const progress = whenRead(4_000, () => controller.abort(new Error("stopped")));
    await expect(run({ progress, signal: controller.signal })).rejects.toThrow("stopped");
    expect(await readManifest(layout.manifest)).toBeUndefined();
    const kept = await readManifest(layout.nextManifest);
    expect(kept?.rows).toBe(progress.snapshot().doneNow);
    const notes: string[] = [];
    const { rows } = await run({ note: (text) => notes.push(text) });
    expect(rows).toBe(SONGS - WITHOUT_LYRICS - (kept?.rows ?? 0));
    expect(notes).toEqual([`  going on behind id ${kept?.readTo}`]);
    await expectSongs();
    expect((await readManifest(layout.manifest))?.skipped).toBe(WITHOUT_LYRICS);
  });

  test("because the database closed the connection says so, and the next one goes on", async () => {
    if (database.kind === "pglite") {
      process.stdout.write("not run: PGlite has one session, and nobody to end it\n");
      return;
    }
    // More than fits into what stands between the database and us, so that it is ended in the middle.
    const padding = "la ".repeat(5_000);
    const selection = {
      table: null,
      query: `SELECT id, name, artist, lyrics || repeat('la ', 5000) AS lyrics FROM songs WHERE lyrics ~ '\\S' AND id <= 9000`,
    };
    const progress = whenRead(1, () => {
      void client.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'kindred-songs' AND datname = current_database()",
      );
    });
    const ended = run({ progress, selection }).then(
      () => "complete",
      (error: unknown) => error,
    );
    const error = await ended;
    expect(error).toMatchObject({ kind: "unavailable" });
    expect((error as Error).message).toMatch(/^The songs' database .* (fails|cannot be reached, or is gone)/);
    const kept = await readManifest(layout.nextManifest);
    expect(kept?.rows).toBe(progress.snapshot().doneNow);
    expect(kept?.rows).toBeGreaterThan(0);
    await run({ selection });
    const songs = await expected("id <= 9000");
    const read = await readAll();
    expect(read.map((song) => song.slice(0, 3))).toEqual(songs.map((song) => song.slice(0, 3)));
    expect(read.every((song, i) => song[3] === `${String(songs[i]?.[3])}${padding}`)).toBe(true);
  });

  test("and left a half-written file behind, as a killed one does", async () => {
    const controller = new AbortController();
    const progress = whenRead(7_000, () => controller.abort(new Error("stopped")));
    await expect(run({ progress, signal: controller.signal })).rejects.toThrow("stopped");
    await writeFile(layout.songs("songs-000009.parquet"), "torn");
    await writeFile(layout.songs("songs-000008.parquet.partial"), "torn");
    await writeFile(layout.songs("notes.txt"), "mine");
    const { manifest } = await run();
    await expectSongs();
    expect(await filesOf(layout.folder)).toEqual([
      "manifest.json",
      "notes.txt",
      ...manifest.files.map(({ name }) => name),
    ]);
  });
});

describe("songs that came later", () => {
  test("are read into a further file, and the files before stay as they are", async () => {
    await client.query("CREATE TABLE growing AS SELECT * FROM songs WHERE id <= 3000");
    const selection = { table: "growing" };
    const before = await run({ selection });
    const files = await Promise.all(before.manifest.files.map(({ name }) => readFile(layout.songs(name))));
    await client.query("INSERT INTO growing SELECT * FROM songs WHERE id > 3000 AND id <= 6000");
    const { rows, manifest } = await run({ selection, mode: "incremental" });
    expect(rows).toBe(997);
    expect(manifest.files.slice(0, -1)).toEqual(before.manifest.files);
    expect(await Promise.all(before.manifest.files.map(({ name }) => readFile(layout.songs(name))))).toEqual(
      files,
    );
    await expectSongs("id <= 6000");
    expect(await run({ selection, mode: "incremental" })).toMatchObject({ rows: 0, wasComplete: false });
    expect(await readAll()).toHaveLength(997 * 2);
  });

  test("are all read anew with --anew, and until that is complete the old files stay", async () => {
    await client.query("CREATE TABLE changing AS SELECT * FROM songs WHERE id <= 12000");
    const selection = { table: "changing" };
    const before = await run({ selection });
    await client.query("UPDATE changing SET lyrics = 'changed' WHERE id = 12");
    const controller = new AbortController();
    const progress = whenRead(2_000, () => controller.abort(new Error("stopped")));
    await expect(run({ selection, mode: "anew", progress, signal: controller.signal })).rejects.toThrow(
      "stopped",
    );
    expect(await readManifest(layout.manifest)).toEqual(before.manifest);
    expect((await readAll())[0]?.[3]).not.toBe("changed");
    const { manifest } = await run({ selection });
    expect((await readAll())[0]?.[3]).toBe("changed");
    expect(await readAll()).toHaveLength(before.manifest.rows);
    const names = new Set(before.manifest.files.map(({ name }) => name));
    expect(manifest.files.filter(({ name }) => names.has(name))).toEqual([]);
    expect(await filesOf(layout.folder)).toEqual([
      "manifest.json",
      ...manifest.files.map(({ name }) => name),
    ]);
  });

  test("are not read in place of files that are being embedded", async () => {
    await run();
    await using embedding = await startSongsRun(
      layout,
      "embed",
      new Progress({ command: "embed", phase: "embedding" }),
      { onRecordError: () => undefined },
    );
    expect(embedding.takenOver).toBe(false);
    await expect(run({ mode: "anew" })).rejects.toThrow(/kindred songs embed reads these files, as process/);
  });
});

describe("what cannot be read is refused, and nothing is written", () => {
  afterEach(async () => {
    const { rows } = await client.query("SELECT count(*)::int AS count FROM songs");
    expect(rows).toEqual([{ count: SONGS }]);
  });

  test.each<[string, RunOptions, string, RegExp]>([
    [
      "a table that is not there",
      { selection: { table: "tunes" } },
      "invalid-argument",
      /"tunes" does not exist/,
    ],
    [
      "a column that is not there",
      { selection: { columns: { ...COLUMNS, lyrics: "words" } } },
      "invalid-argument",
      /column "words" does not exist/,
    ],
    [
      "ids that are texts",
      { selection: { columns: { ...COLUMNS, id: "name" } } },
      "invalid-argument",
      /--id-column name holds no whole numbers/,
    ],
    [
      "ids that come twice",
      { selection: { columns: { ...COLUMNS, id: "year" } } },
      "invalid-argument",
      /id 1950 comes twice/,
    ],
    [
      "several statements",
      {
        selection: {
          table: null,
          query: "SELECT * FROM songs) AS s; DELETE FROM songs; SELECT * FROM (SELECT 1",
        },
      },
      "invalid-argument",
      /cannot insert multiple commands/,
    ],
    [
      "a query that writes",
      { selection: { table: null, query: "DELETE FROM songs RETURNING *" } },
      "invalid-argument",
      /syntax error/,
    ],
    [
      "a server that is not there",
      { url: "postgresql://me:secret@127.0.0.1:1/music" },
      "unavailable",
      /ECONNREFUSED/,
    ],
  ])("%s", async (_what, options, kind, message) => {
    await expect(run(options)).rejects.toMatchObject({
      kind,
      message: expect.stringMatching(message) as unknown,
    });
    await expect(run(options)).rejects.not.toThrow(/secret/);
    expect(await readManifest(layout.manifest)).toBeUndefined();
  });

  test("a wrong password", async () => {
    const url = new URL(database.url);
    if (url.password === "") {
      process.stdout.write("not run: this database asks for no password\n");
      return;
    }
    url.password = "wrong";
    await expect(run({ url: url.href })).rejects.toMatchObject({
      kind: "failed-precondition",
      message: expect.stringMatching(/refuses the user or password of POSTGRES_URL$/) as unknown,
    });
  });

  test("another source than that of the files that are there", async () => {
    await run();
    const before = await readAll();
    const selection = { table: "public.songs" };
    await expect(run({ selection, mode: "incremental" })).rejects.toThrow(
      /of another source: --table was songs, and is public.songs/,
    );
    expect(await readAll()).toEqual(before);
  });
});
