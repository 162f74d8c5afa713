import { join, resolve } from "node:path";

/** The steps of the pipeline, in their order. */
export const SONGS_COMMANDS = ["setup", "cache", "embed", "upload"] as const;

export type SongsCommand = (typeof SONGS_COMMANDS)[number];

/** Where everything of one pipeline lies, below one folder. Absolute paths; nothing is created. */
export interface SongsLayout {
  readonly folder: string;
  /** What the songs' files hold. It is there once the songs have been read completely. */
  readonly manifest: string;
  /** The same of songs that are still being read; becomes the manifest in the end. */
  readonly nextManifest: string;
  /** The embedding cache. */
  readonly embeddings: string;
  /** How far the upload of the embedding cache got. */
  readonly uploadCheckpoint: string;
  /** What `kindred songs status` reads. */
  readonly runs: string;
  /** Path of one of the manifest's files. */
  songs(name: string): string;
  /** What the latest run of a command says of itself. */
  run(command: SongsCommand): string;
  /** Held by a run of this command for as long as it lives. */
  lock(command: SongsCommand): string;
}

export function songsLayout(folder: string): SongsLayout {
  const root = resolve(folder);
  const runs = join(root, "runs");
  return {
    folder: root,
    manifest: join(root, "manifest.json"),
    nextManifest: join(root, "manifest.next.json"),
    embeddings: join(root, "embeddings"),
    uploadCheckpoint: join(root, "upload.json"),
    runs,
    songs: (name) => join(root, name),
    run: (command) => join(runs, `${command}.json`),
    lock: (command) => join(runs, `${command}.lock`),
  };
}
