import { existsSync } from "node:fs";
import { ConfigError } from "@kindred/config";
import { isKindredError, messageOf } from "@kindred/errors";
import {
  cacheSongs,
  openSongSource,
  Progress,
  songsSettings,
  SQL_STATE,
  type CacheMode,
  type CacheSongsResult,
  type Selection,
  type SongsLayout,
  type SongSource,
} from "@kindred/songs";
import type { Command } from "commander";
import type { Run } from "../commands/command.ts";
import { integerOption } from "../commands/parse.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { isNetworkCode, systemCodeOf } from "../system-error.ts";
import { formatBytes, formatCount, plural } from "../terminal/format.ts";
import { resumeCommand } from "./resume-command.ts";
import { runSongsCommand } from "./run-songs-command.ts";
import { addFolderOption, layoutOf, songsConfig, type SongsOptions } from "./songs-options.ts";

interface CacheOptions extends SongsOptions {
  sourceUrl?: string;
  table?: string;
  query?: string;
  idColumn: string;
  /** false with --no-name-column. */
  nameColumn: string | false;
  artistColumn: string | false;
  lyricsColumn: string;
  incremental?: boolean;
  anew?: boolean;
  fileRows: number;
}

const DEFAULT_TABLE = "songs";

const HELP = `
Reads songs by ascending id from the PostgreSQL of POSTGRES_URL (or --source-url), in one transaction that only reads, into Parquet files
(zstd) and a manifest.json. Songs without lyrics are counted, and left out. Names of columns and tables are as the database has them, capital letters too.

When it was stopped or killed, the same command goes on behind the last file that is complete. When all has been read, it does nothing;
--incremental then adds songs with greater ids than any before, --anew reads all again in place of the old files. Embeddings belong to
ids: those that are there stay as they are, whatever --anew reads.

Examples:
  POSTGRES_URL=postgresql://me@db.example/music kindred songs cache
  kindred songs cache --table music.tracks --id-column track_id --name-column title
  kindred songs cache --query "SELECT id, name, artist, lyrics FROM songs WHERE language = 'en'"
  kindred songs cache --incremental`;

export function addSongsCacheCommand(songs: Command, run: Run): void {
  addFolderOption(songs.command("cache").description("read the songs of a PostgreSQL into Parquet files"))
    .option("--source-url <url>", "PostgreSQL that has the songs (POSTGRES_URL)")
    .option("--table <name>", `table with the songs (default: ${DEFAULT_TABLE})`)
    .option("--query <sql>", "a SELECT with the songs, in place of a table")
    .option("--id-column <name>", "whole numbers, each once", "id")
    .option("--name-column <name>", "the song's name", "name")
    .option("--no-name-column", "there is none")
    .option("--artist-column <name>", "whose song it is", "artist")
    .option("--no-artist-column", "there is none")
    .option("--lyrics-column <name>", "the text that is embedded", "lyrics")
    .option("--incremental", "add songs with greater ids to those that are there")
    .option("--anew", "read all songs again, in place of those that are there")
    .option("--file-rows <rows>", "songs of a file", integerOption(1_000, 100_000_000), 1_000_000)
    .addHelpText("after", HELP)
    .action((options: CacheOptions, command: Command) =>
      run(command, (context) => cache(context, options, command)),
    );
}

async function cache(context: Context, options: CacheOptions, command: Command): Promise<ExitCode> {
  const layout = layoutOf(context, options);
  const url = sourceUrl(context, options);
  const selection = selectionOf(options);
  const progress = new Progress({ command: "cache", phase: "starting" });
  const mode = modeOf(options);
  const startedAt = performance.now();
  const { result } = await runSongsCommand(
    context,
    {
      command: "cache",
      layout,
      progress,
      // What was read anew so far is gone on with, and not begun anew once more.
      resume: () =>
        resumeCommand(command, {
          without: ["sourceUrl", ...(existsSync(layout.nextManifest) ? ["anew"] : [])],
        }),
    },
    async ({ signal, note }) => {
      const openSource = (): Promise<SongSource> => openSongSource({ url, selection });
      const done = await namingCauses(() =>
        cacheSongs({ layout, openSource, progress }, { mode, fileRows: options.fileRows, signal, note }),
      );
      return { result: done, summary: summaryOf(done) };
    },
  );
  show(context, layout, result, (performance.now() - startedAt) / 1_000);
  return EXIT.ok;
}

function sourceUrl(context: Context, options: CacheOptions): string {
  if (options.sourceUrl === undefined) {
    const { POSTGRES_URL } = songsConfig(context);
    if (POSTGRES_URL !== undefined) return POSTGRES_URL;
    throw new ConfigError([
      "POSTGRES_URL is required: the PostgreSQL that has the songs, e.g. postgresql://user:password@host:5432/music",
    ]);
  }
  try {
    return songsSettings.POSTGRES_URL.parse(options.sourceUrl) as string;
  } catch (error) {
    throw new Failure(`--source-url ${(error as Error).message}`, { exitCode: EXIT.usage, cause: error });
  }
}

function selectionOf(options: CacheOptions): Selection {
  const { table, query, idColumn, nameColumn, artistColumn, lyricsColumn } = options;
  if (table !== undefined && query !== undefined) {
    throw new Failure("--table and --query both say where the songs are: give one of them.", {
      exitCode: EXIT.usage,
    });
  }
  return {
    table: query === undefined ? (table ?? DEFAULT_TABLE) : null,
    query: query ?? null,
    columns: {
      id: idColumn,
      name: nameColumn === false ? null : nameColumn,
      artist: artistColumn === false ? null : artistColumn,
      lyrics: lyricsColumn,
    },
  };
}

function modeOf({ incremental = false, anew = false }: CacheOptions): CacheMode {
  if (incremental && anew) {
    throw new Failure("--incremental adds to what is there, --anew replaces it: give one of them.", {
      exitCode: EXIT.usage,
    });
  }
  return anew ? "anew" : incremental ? "incremental" : "once";
}

/** The database that cannot be reached is not Kindred, and a folder that cannot be written is no service that is busy. */
async function namingCauses<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const exitCode = exitCodeOf(error);
    if (exitCode === undefined) throw error;
    const remedy = exitCode === EXIT.cannotWrite ? "Make room, or name another --folder." : undefined;
    throw new Failure(`${messageOf(error).replace(/\.$/, "")}.`, { exitCode, remedy, cause: error });
  }
}

/** undefined for what is told as it is. */
function exitCodeOf(error: unknown): ExitCode | undefined {
  const systemCode = systemCodeOf(error);
  if (systemCode !== undefined && !isNetworkCode(systemCode)) return EXIT.cannotWrite;
  if (!isKindredError(error)) return undefined;
  const codes: Partial<Record<typeof error.kind, ExitCode>> = {
    unavailable: EXIT.unavailable,
    "failed-precondition": error.metadata[SQL_STATE] === undefined ? EXIT.failure : EXIT.config,
    "resource-exhausted": EXIT.unavailable,
    "data-loss": EXIT.data,
  };
  return codes[error.kind];
}

function summaryOf({ manifest, wasComplete, rows, skipped }: CacheSongsResult): string {
  if (wasComplete)
    return `${plural(manifest.rows, "song")} had been read before; --incremental reads newer ones`;
  const left = skipped > 0 ? `, ${formatCount(skipped)} without lyrics left out` : "";
  return `${plural(rows, "song")} read${left}`;
}

function show(context: Context, layout: SongsLayout, result: CacheSongsResult, seconds: number): void {
  const { manifest, wasComplete, rows, skipped } = result;
  const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  if (context.json) {
    context.terminal.json({
      folder: layout.folder,
      was_complete: wasComplete,
      rows_read: rows,
      rows_skipped: skipped,
      rows: manifest.rows,
      skipped: manifest.skipped,
      // Beyond 2^53 a number of JSON would be another one.
      min_id: manifest.minId,
      max_id: manifest.maxId,
      files: manifest.files.length,
      bytes,
      seconds: Number(seconds.toFixed(3)),
    });
    return;
  }
  const range = manifest.minId === null ? "" : `, ids ${manifest.minId} to ${manifest.maxId}`;
  context.terminal.result(
    ` ${plural(manifest.rows, "song")} in ${plural(manifest.files.length, "file")}, ${formatBytes(bytes)}${range}, in ${layout.folder}`,
  );
}
