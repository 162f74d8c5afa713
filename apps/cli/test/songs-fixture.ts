import { writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { loadConfig } from "@kindred/config";
import { createParquetFile } from "@kindred/parquet";
import { databaseSettings, openDatabase, type Database } from "@kindred/postgres";
import { SONG_COLUMNS, songsLayout, writeManifest, type SongsFile } from "@kindred/songs";
import {
  silentLogger,
  startOpenAiServer,
  startStack,
  type OpenAiServer,
  type OpenAiServerOptions,
  type Stack,
} from "@kindred/testing";

export const MODEL = "test-embedding";
export const DIMENSIONS = 16;
const KEY = "sk-songs";

/** Kindred with one remote model, and the provider of it; the songs' vectors follow from their lyrics. */
export interface SongsStack extends AsyncDisposable {
  provider: OpenAiServer;
  stack: Stack;
  env: Record<string, string>;
}

export async function startSongsStack(
  folder: string,
  options: OpenAiServerOptions = {},
): Promise<SongsStack> {
  await using cleanup = new AsyncDisposableStack();
  const provider = cleanup.use(
    await startOpenAiServer({ apiKey: KEY, models: { [MODEL]: { dimensions: DIMENSIONS } }, ...options }),
  );
  const catalogue = join(folder, "catalogue.json");
  const model = {
    name: MODEL,
    kind: "remote",
    provider: "elsewhere",
    baseUrl: provider.baseUrl,
    model: MODEL,
    dimensions: DIMENSIONS,
    apiKeyVariable: "ELSEWHERE_API_KEY",
  };
  writeFileSync(catalogue, JSON.stringify({ models: [model] }));
  const stack = cleanup.use(
    await startStack({
      services: ["embedding", "vector-store"],
      origin: true,
      env: { EMBEDDING_CATALOGUE: catalogue, EMBEDDING_MODELS: MODEL, ELSEWHERE_API_KEY: KEY },
    }),
  );
  const owned = cleanup.move();
  return {
    provider,
    stack,
    env: { KINDRED_URL: stack.originUrl as string, KINDRED_HOME: join(folder, "home") },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The database itself, for what no service tells. */
export async function openTables(url: string): Promise<Database> {
  return await openDatabase({
    config: loadConfig(databaseSettings, { DATABASE_URL: url, DB_POOL_SIZE: "1" }),
    schema: "vector_store",
    applicationName: "songs-test",
    logger: silentLogger(),
  });
}

export interface TestSong {
  id: bigint;
  lyrics: string;
}

export function songsOf(count: number): TestSong[] {
  return Array.from({ length: count }, (_, i) => ({ id: BigInt(i + 1), lyrics: `la la ${i + 1}` }));
}

/** A folder as `kindred songs cache` leaves it, with these songs in files of so many. */
export async function writeSongsFolder(
  folder: string,
  songs: readonly TestSong[],
  rowsOfFile = 1_000,
): Promise<void> {
  const layout = songsLayout(folder);
  await mkdir(folder, { recursive: true });
  const files: SongsFile[] = [];
  for (let first = 0; first < songs.length; first += rowsOfFile) {
    const some = songs.slice(first, first + rowsOfFile);
    const name: string = `songs-${String(files.length + 1).padStart(5, "0")}.parquet`;
    await using file = await createParquetFile(layout.songs(name), { columns: SONG_COLUMNS });
    await file.append({
      rows: some.length,
      columns: {
        id: some.map(({ id }) => id),
        name: some.map(({ id }) => `Song ${id}`),
        artist: some.map(() => null),
        lyrics: some.map(({ lyrics }) => lyrics),
      },
    });
    const { bytes } = await file.finish();
    files.push({
      name,
      rows: some.length,
      skipped: 0,
      bytes,
      sha256: "",
      firstId: String(some[0]?.id),
      lastId: String(some.at(-1)?.id),
      readAt: new Date().toISOString(),
    });
  }
  await writeManifest(layout.manifest, {
    version: 1,
    source: {
      server: "127.0.0.1:5432/music",
      table: "songs",
      query: null,
      columns: { id: "id", name: "name", artist: "artist", lyrics: "lyrics" },
    },
    columns: SONG_COLUMNS,
    rows: songs.length,
    skipped: 0,
    minId: String(songs[0]?.id ?? null),
    maxId: String(songs.at(-1)?.id ?? null),
    readTo: String(songs.at(-1)?.id ?? null),
    files,
    createdAt: new Date().toISOString(),
    updatedAt: new Date().toISOString(),
  });
}
