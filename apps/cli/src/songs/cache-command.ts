import type { Command } from "commander";
import type { Run } from "../commands/command.ts";
import { addFolderOption } from "./songs-options.ts";

export function addSongsCacheCommand(songs: Command, _run: Run): void {
  addFolderOption(songs.command("cache").description("songs of a PostgreSQL to Parquet files"));
}
