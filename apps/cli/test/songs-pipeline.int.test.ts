import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { Database } from "@kindred/postgres";
import { kindred } from "./kindred.ts";
import { openTables, songsOf, startSongsStack, writeSongsFolder, type SongsStack } from "./songs-fixture.ts";

// setup, embed and upload as people run them: real processes, real services, a provider that speaks OpenAI's protocol.

const COUNT = 2_500;
const SONGS = songsOf(COUNT);

let folder: string;
let at: SongsStack;
let database: Database;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "kindred-songs-"));
  at = await startSongsStack(folder);
  database = await openTables(at.stack.database?.url as string);
  await writeSongsFolder(join(folder, "songs"), SONGS);
}, 180_000);
afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
  await at?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const run = (...args: string[]) => kindred(["songs", ...args, "--folder", join(folder, "songs")], at.env);

test("the table, the embeddings and the upload, each of which does nothing the second time", async () => {
  const missing = await run("upload");
  expect(missing).toMatchObject({ code: 1, err: expect.stringContaining("kindred songs setup") });

  const setup = await run("setup", "--json");
  expect(setup).toMatchObject({ code: 0 });
  expect(JSON.parse(setup.out)).toMatchObject({
    created: true,
    collection: {
      name: "songs",
      dimensions: 16,
      table: { table: "song_embeddings", key_column: "song_id", vector_column: "embedding" },
      index_policy: { kind: "INDEX_KIND_IVFFLAT", index_name: "embeddings_ivfflat_idx" },
    },
  });
  const { rows: columns } = await database.query(
    `SELECT attname, format_type(atttypid, atttypmod) AS type, attnotnull FROM pg_attribute
     WHERE attrelid = 'song_embeddings'::regclass AND attnum > 0 ORDER BY attnum`,
  );
  expect(columns).toEqual([
    { attname: "song_id", type: "integer", attnotnull: true },
    { attname: "embedding", type: "vector(16)", attnotnull: true },
    { attname: "created_at", type: "timestamp with time zone", attnotnull: expect.any(Boolean) },
  ]);
  expect(JSON.parse((await run("setup", "--json")).out)).toMatchObject({ created: false });
  const other = await run("setup", "--lists", "77");
  expect(other).toMatchObject({ code: 1, err: expect.stringContaining("lists is 0, not 77") });

  const embedded = await run("embed", "--workers", "4", "--batch-size", "100");
  expect(embedded).toMatchObject({ code: 0, out: expect.stringContaining(" 2,500 vectors of elsewhere:") });
  expect(at.provider.requests.flatMap(({ texts }) => texts).toSorted()).toEqual(
    SONGS.map(({ lyrics }) => lyrics).toSorted(),
  );
  const asked = at.provider.requests.length;
  const again = await run("embed", "--json");
  expect(again.code).toBe(0);
  expect(JSON.parse(again.out)).toMatchObject({ embedded: 0, cached: COUNT, refused: [] });
  expect(at.provider.requests).toHaveLength(asked);

  // Through the origin, and then by gRPC from the beginning.
  const first = await run("upload", "--json", "--batch-size", "400");
  expect(JSON.parse(first.out)).toMatchObject({ inserted: COUNT, table_rows: COUNT, analyzed: false });
  const store = at.stack.addresses["vector-store"] as string;
  const nothing = await run("upload", "--json", "--store", store);
  expect(JSON.parse(nothing.out)).toMatchObject({ rows: 0, inserted: 0, replaced: 0, analyzed: true });
  // PGlite takes no COPY, and says so where it is insisted on.
  const canCopy = at.stack.database?.kind !== "pglite";
  if (!canCopy) {
    const refused = await run("upload", "--store", store, "--anew", "--method", "copy");
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("COPY") });
  }
  const method = canCopy ? "copy" : "insert";
  const anew = await run("upload", "--json", "--store", store, "--anew", "--method", method);
  expect(JSON.parse(anew.out)).toMatchObject({ rows: COUNT, inserted: 0, replaced: COUNT });

  const { rows } = await database.query<{ song_id: number; embedding: string }>(
    "SELECT song_id, embedding::text FROM song_embeddings ORDER BY song_id",
  );
  expect(rows.map(({ song_id: id }) => BigInt(id))).toEqual(SONGS.map(({ id }) => id));
  for (const { song_id: id, embedding } of rows) {
    const expected = at.provider.vectorOf(`la la ${id}`);
    for (const [i, value] of (JSON.parse(embedding) as number[]).entries())
      expect(value).toBeCloseTo(expected[i] as number, 5);
  }

  // Rows that somebody removed are noticed.
  await database.query("DELETE FROM song_embeddings WHERE song_id % 2 = 0");
  const mended = await run("upload", "--store", store);
  expect(mended).toMatchObject({ code: 0, err: expect.stringContaining("fewer than were uploaded") });
  const { rows: counts } = await database.query("SELECT count(*)::int AS n FROM song_embeddings");
  expect(counts).toEqual([{ n: COUNT }]);

  const indexed = await run("upload", "--store", store, "--index");
  expect(indexed.code).toBe(0);
  const { rows: indexes } = await database.query<{ indexdef: string }>(
    "SELECT indexdef FROM pg_indexes WHERE indexname = 'embeddings_ivfflat_idx'",
  );
  expect(indexes[0]?.indexdef).toMatch(
    /USING ivfflat \(embedding vector_cosine_ops\) WITH \(lists='?\d+'?\)/,
  );

  const status = await run("status", "--json");
  expect(JSON.parse(status.out)).toMatchObject({ folder: join(folder, "songs") });
}, 900_000);

test("what is not there yet is said, with the command for it", async () => {
  const empty = join(folder, "empty");
  const embed = await kindred(["songs", "embed", "--folder", empty], at.env);
  expect(embed).toMatchObject({ code: 65, err: expect.stringContaining("kindred songs cache") });
  await kindred(["songs", "setup", "--folder", empty], at.env);
  const upload = await kindred(["songs", "upload", "--folder", empty], at.env);
  expect(upload).toMatchObject({ code: 65, err: expect.stringContaining("kindred songs embed") });
  const model = await run("embed", "--model", "nobody");
  expect(model).toMatchObject({ code: 2, err: expect.stringContaining("kindred models list") });
  const method = await run("upload", "--method", "insert");
  expect(method).toMatchObject({ code: 2, err: expect.stringContaining("--store") });
  expect(() => readFileSync(join(empty, "manifest.json"))).toThrow("ENOENT");
}, 300_000);
