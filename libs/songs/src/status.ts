import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { hashOf } from "./cache-songs.ts";
import { SONGS_COMMANDS, type SongsCommand, type SongsLayout } from "./layout.ts";
import { readManifest, type SongsFile, type SongsManifest } from "./manifest.ts";
import { readRun, type SeenRun } from "./run-record.ts";

/** All that the folder tells. */
export interface SongsStatus {
  folder: string;
  /** undefined until all songs have been read once. */
  manifest: SongsManifest | undefined;
  /** What is being read, or was when a run ended early. */
  next: SongsManifest | undefined;
  /** Bytes of the embedding cache's files. */
  embeddingBytes: number;
  /** The latest run of each command that has been run. */
  runs: Partial<Record<SongsCommand, SeenRun>>;
}

/**
 * Looks at what the commands have written, and at nothing else: no lock is taken, no file is changed, and nothing is asked of a service.
 * @throws KindredError data-loss when a file is not what it should be
 */
export async function readSongsStatus(layout: SongsLayout): Promise<SongsStatus> {
  const runs: SongsStatus["runs"] = {};
  for (const command of SONGS_COMMANDS) {
    const run = await readRun(layout, command);
    if (run) runs[command] = run;
  }
  return {
    folder: layout.folder,
    manifest: await readManifest(layout.manifest),
    next: await readManifest(layout.nextManifest),
    embeddingBytes: await bytesIn(layout.embeddings),
    runs,
  };
}

/** What is wrong with one of the manifest's files. */
export interface DamagedFile {
  name: string;
  /** e.g. "is not there" */
  problem: string;
}

/** Compares every file with what the manifest says of it; yields each when it is done. */
export async function* verifySongsFiles(
  layout: SongsLayout,
  manifest: SongsManifest,
): AsyncGenerator<{ file: SongsFile; damage: DamagedFile | undefined }> {
  for (const file of manifest.files) {
    const problem = await problemOf(layout.songs(file.name), file);
    yield { file, damage: problem === undefined ? undefined : { name: file.name, problem } };
  }
}

async function problemOf(path: string, { bytes, sha256 }: SongsFile): Promise<string | undefined> {
  let size: number;
  try {
    ({ size } = await stat(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "is not there";
    throw error;
  }
  if (size !== bytes) return `has ${size} bytes instead of ${bytes}`;
  return (await hashOf(path)) === sha256 ? undefined : "has other bytes than when it was written (SHA-256)";
}

async function bytesIn(folder: string): Promise<number> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0;
    throw error;
  }
  let bytes = 0;
  for (const name of names) {
    try {
      bytes += (await stat(join(folder, name))).size;
    } catch (error) {
      // A writer may have renamed or removed it meanwhile.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  return bytes;
}
