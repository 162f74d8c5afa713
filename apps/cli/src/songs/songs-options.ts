import { join } from "node:path";
import { loadConfig, type ConfigOf } from "@kindred/config";
import { songsLayout, songsSettings, type SongsLayout } from "@kindred/songs";
import type { Command } from "commander";
import type { Context } from "../context.ts";

/** What every command of the group has. */
export interface SongsOptions {
  folder?: string;
}

export function addFolderOption(command: Command): Command {
  return command.option(
    "--folder <path>",
    "the pipeline's files: songs, embeddings, checkpoints (SONGS_FOLDER; default: songs in the home)",
  );
}

/** @throws ConfigError for bad settings */
export function songsConfig(context: Pick<Context, "env">): ConfigOf<typeof songsSettings> {
  return loadConfig(songsSettings, context.env);
}

/** Where this pipeline's files are: --folder, SONGS_FOLDER, or the home's own. */
export function layoutOf(context: Pick<Context, "env" | "places">, options: SongsOptions): SongsLayout {
  const folder = options.folder ?? songsConfig(context).SONGS_FOLDER ?? join(context.places.home, "songs");
  return songsLayout(folder);
}
