import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { temporaryFolder } from "@kindred/testing";
import { readManifest, SONG_COLUMNS, writeManifest, type SongsManifest } from "./manifest.ts";

const MANIFEST: SongsManifest = {
  version: 1,
  source: {
    server: "db:5432/music",
    table: "songs",
    query: null,
    columns: { id: "id", name: "name", artist: null, lyrics: "lyrics" },
  },
  columns: SONG_COLUMNS,
  rows: 2,
  skipped: 1,
  minId: "-5",
  maxId: "9007199254740993",
  readTo: "9007199254740994",
  files: [
    {
      name: "songs-000001.parquet",
      rows: 2,
      skipped: 1,
      bytes: 700,
      sha256: "00",
      firstId: "-5",
      lastId: "9007199254740993",
      readAt: "2025-01-01T00:00:00.000Z",
    },
  ],
  createdAt: "2025-01-01T00:00:00.000Z",
  updatedAt: "2025-01-01T00:00:00.000Z",
};

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let path: string;
beforeEach(async () => {
  folder = await temporaryFolder();
  path = join(folder.path, "manifest.json");
});
afterEach(async () => {
  await folder[Symbol.asyncDispose]();
});

test("is read back as it was written, ids beyond 2^53 too, and leaves nothing beside it", async () => {
  await writeManifest(path, { ...MANIFEST, rows: 1 });
  await writeManifest(path, MANIFEST);
  expect(await readManifest(path)).toEqual(MANIFEST);
  expect(await readdir(folder.path)).toEqual(["manifest.json"]);
});

test("is undefined where there is none", async () => {
  expect(await readManifest(path)).toBeUndefined();
});

const withFile = (file: object): object => ({ ...MANIFEST, files: [{ ...MANIFEST.files[0], ...file }] });

test.each<[string, unknown]>([
  ["nothing", null],
  ["another version", { ...MANIFEST, version: 2 }],
  ["no files", { ...MANIFEST, files: undefined }],
  ["a file outside of the folder", withFile({ name: "../songs.parquet" })],
  ["a file in another folder", withFile({ name: "/etc/songs.parquet" })],
  ["an id that is none", withFile({ lastId: "1; DROP TABLE songs" })],
  ["rows that are no number", withFile({ rows: "2" })],
])("with %s is refused, and how to go on is said", async (_what, value) => {
  await writeFile(path, JSON.stringify(value));
  await expect(readManifest(path)).rejects.toMatchObject({
    kind: "data-loss",
    message: expect.stringMatching(/remove it, and read the songs again/) as unknown,
  });
});
