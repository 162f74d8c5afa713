import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { KindredError } from "@kindred/errors";
import { createParquetFile, type ParquetWriter } from "@kindred/parquet";
import { syncFolder } from "@kindred/process";
import type { SongsLayout } from "./layout.ts";
import {
  readManifest,
  SONG_COLUMNS,
  writeManifest,
  type SongsFile,
  type SongsManifest,
  type SourceIdentity,
} from "./manifest.ts";
import type { Progress } from "./progress.ts";
import { readRun } from "./run-record.ts";
import type { SongRows } from "./song-rows.ts";
import type { SongSource } from "./source.ts";
import { differenceOf } from "./source-statement.ts";

/** Of one file, so that a killed run loses little; and of one row group, which is what reading and writing keep in memory. */
const FILE_ROWS = 1_000_000;
const GROUP_ROWS = 16_384;
const GROUP_BYTES = 32 * 2 ** 20;

/** What is done about songs that were read completely before. */
export type CacheMode =
  /** Nothing. */
  | "once"
  /** Newer ones are read into one more file. */
  | "incremental"
  /** All are read anew; the old files stay until the new ones are complete. */
  | "anew";

export interface CacheSongsOptions {
  mode: CacheMode;
  /** Most rows of a file (default 1,000,000). */
  fileRows?: number;
  signal: AbortSignal;
  /** Told, in a line, what was found and is done about it. */
  note: (text: string) => void;
}

export interface CacheSongsDeps {
  layout: SongsLayout;
  /** Only opened when there is something to read. */
  openSource: () => Promise<SongSource>;
  progress: Progress;
}

export interface CacheSongsResult {
  manifest: SongsManifest;
  /** Whether the songs had been read before, and nothing was done. */
  wasComplete: boolean;
  /** By this run. */
  rows: number;
  skipped: number;
}

/**
 * Reads the songs into Parquet files. When it rejects, or the process is killed, the files that are complete are kept, and the next run goes
 * on behind them; after an abort and after a failure of the source, what had come is in one of them, but
 * for the last batch of less than a thousand.
 * The caller sees to it that it is the only one on this folder: `startSongsRun`.
 * @throws KindredError: failed-precondition when the files are of another source, what the source throws; errors of the file system
 */
export async function cacheSongs(
  deps: CacheSongsDeps,
  options: CacheSongsOptions,
): Promise<CacheSongsResult> {
  const { layout, progress } = deps;
  const { mode } = options;
  await mkdir(layout.folder, { recursive: true });
  const complete = await readManifest(layout.manifest);
  const unfinished = await readManifest(layout.nextManifest);
  if (complete && !unfinished && mode === "once") {
    return { manifest: complete, wasComplete: true, rows: 0, skipped: 0 };
  }
  if (mode === "anew") await refuseWhileEmbedding(layout);
  progress.phase("connecting");
  await using source = await deps.openSource();
  const start = mode === "anew" ? undefined : (unfinished ?? complete);
  if (start) refuseOther(start.source, source.identity);
  await removeStrays(layout, [complete, start]);
  const next = start ? structuredClone(start) : newManifest(source.identity);
  if (start) progress.resumed({ done: start.rows, skipped: start.skipped });
  if (unfinished && start) options.note(`  going on behind id ${next.readTo ?? "none"}`);
  const after = next.readTo === null ? undefined : BigInt(next.readTo);
  progress.total(next.rows + next.skipped + (await source.estimate(after)), { isEstimate: true });
  progress.phase("reading");
  const files = new SongsFiles(layout, next, source.readAt, { complete, progress });
  try {
    for await (const rows of source.read(after, options.signal)) {
      await files.append(rows, options.fileRows ?? FILE_ROWS);
    }
  } catch (error) {
    // What came before the source failed is whole. Where writing fails, nothing more can be written.
    await files.keep();
    throw error;
  }
  await files.keep();
  progress.phase("done");
  progress.total(next.rows);
  await rename(layout.nextManifest, layout.manifest);
  await syncFolder(layout.folder);
  await removeStrays(layout, [next]);
  return {
    manifest: next,
    wasComplete: false,
    rows: next.rows - (start?.rows ?? 0),
    skipped: next.skipped - (start?.skipped ?? 0),
  };
}

interface OpenFile {
  name: string;
  writer: ParquetWriter;
  firstId: bigint;
  lastId: bigint;
}

/** The files that a run writes, one after the other, and the manifest of those that are complete. */
class SongsFiles {
  readonly #layout: SongsLayout;
  readonly #manifest: SongsManifest;
  readonly #readAt: string;
  readonly #progress: Progress;
  #number: number;
  #open: OpenFile | undefined;
  /** Since the last complete file. */
  #skipped = 0;
  #readTo: bigint | undefined;
  #hasFailed = false;

  constructor(
    layout: SongsLayout,
    manifest: SongsManifest,
    readAt: string,
    { complete, progress }: { complete: SongsManifest | undefined; progress: Progress },
  ) {
    this.#layout = layout;
    this.#manifest = manifest;
    this.#readAt = readAt;
    this.#progress = progress;
    // Not the names of files that are still to be read while these are written.
    this.#number = Math.max(
      0,
      ...[...(complete?.files ?? []), ...manifest.files].map(({ name }) => numberOf(name)),
    );
  }

  async append(rows: SongRows, fileRows: number): Promise<void> {
    this.#skipped += rows.skipped;
    this.#readTo = rows.lastId ?? this.#readTo;
    const [firstId, lastId] = [rows.ids[0], rows.ids.at(-1)];
    if (firstId !== undefined && lastId !== undefined) {
      await this.#writing(async () => {
        this.#open ??= { ...(await this.#create()), firstId, lastId };
        this.#open.lastId = lastId;
        await this.#open.writer.append({
          rows: rows.ids.length,
          columns: { id: rows.ids, name: rows.names, artist: rows.artists, lyrics: rows.lyrics },
        });
      });
    }
    this.#progress.add({ done: rows.ids.length, skipped: rows.skipped, bytes: rows.characters });
    if ((this.#open?.writer.rows ?? 0) >= fileRows) await this.keep();
  }

  /** Completes the file that is open, and writes down that it is there, and what was looked at. */
  async keep(): Promise<void> {
    if (this.#hasFailed) return;
    await this.#writing(async () => {
      const file = this.#open && (await this.#finish(this.#open));
      this.#open = undefined;
      const manifest = this.#manifest;
      if (file) manifest.files = [...manifest.files, file];
      manifest.rows += file?.rows ?? 0;
      manifest.skipped += this.#skipped;
      this.#skipped = 0;
      manifest.minId ??= file?.firstId ?? null;
      manifest.maxId = file?.lastId ?? manifest.maxId;
      manifest.readTo = this.#readTo?.toString() ?? manifest.readTo;
      manifest.updatedAt = new Date().toISOString();
      await writeManifest(this.#layout.nextManifest, manifest);
    });
  }

  async #create(): Promise<Pick<OpenFile, "name" | "writer">> {
    this.#number += 1;
    const name = `songs-${String(this.#number).padStart(6, "0")}.parquet`;
    const writer = await createParquetFile(this.#layout.songs(name), {
      columns: SONG_COLUMNS,
      rowGroupRows: GROUP_ROWS,
      rowGroupBytes: GROUP_BYTES,
    });
    return { name, writer };
  }

  async #finish(open: OpenFile): Promise<SongsFile> {
    const { rows, bytes } = await open.writer.finish();
    return {
      name: open.name,
      rows,
      skipped: this.#skipped,
      bytes,
      sha256: await hashOf(this.#layout.songs(open.name)),
      firstId: String(open.firstId),
      lastId: String(open.lastId),
      readAt: this.#readAt,
    };
  }

  async #writing(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#hasFailed = true;
      await this.#open?.writer[Symbol.asyncDispose]();
      throw error;
    }
  }
}

/** SHA-256 of a file's bytes, hexadecimal. */
export async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 2 ** 20 }), hash);
  return hash.digest("hex");
}

function newManifest(source: SourceIdentity): SongsManifest {
  const now = new Date().toISOString();
  return {
    version: 1,
    source,
    columns: SONG_COLUMNS,
    rows: 0,
    skipped: 0,
    minId: null,
    maxId: null,
    readTo: null,
    files: [],
    createdAt: now,
    updatedAt: now,
  };
}

function numberOf(name: string): number {
  return Number(/^songs-(\d+)\.parquet$/.exec(name)?.[1] ?? 0);
}

function refuseOther(before: SourceIdentity, now: SourceIdentity): void {
  const difference = differenceOf(before, now);
  if (difference === undefined) return;
  throw new KindredError(
    "failed-precondition",
    `the songs in this folder are of another source: ${difference}. Read this one into another --folder, or in place of them with --anew`,
  );
}

async function refuseWhileEmbedding(layout: SongsLayout): Promise<void> {
  const run = await readRun(layout, "embed");
  if (!run?.isAlive) return;
  throw new KindredError(
    "failed-precondition",
    `kindred songs embed reads these files, as process ${run.pid}; let it end, or stop it with Ctrl+C, before they are replaced`,
  );
}

/** Files that no manifest knows: of runs that were killed, and of what was replaced. */
async function removeStrays(
  layout: SongsLayout,
  manifests: readonly (SongsManifest | undefined)[],
): Promise<void> {
  const known = new Set(manifests.flatMap((manifest) => manifest?.files ?? []).map(({ name }) => name));
  for (const name of await readdir(layout.folder)) {
    const isOurs = /^\.?songs-\d+\.parquet/.test(name) || /^manifest\.next\.json\.\d+\.part$/.test(name);
    if (isOurs && !known.has(name)) await rm(join(layout.folder, name), { force: true });
  }
}
