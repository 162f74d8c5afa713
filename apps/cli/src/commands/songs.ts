import { addSongsCacheCommand } from "../songs/cache-command.ts";
import { addSongsEmbedCommand } from "../songs/embed-command.ts";
import { addSongsSetupCommand } from "../songs/setup-command.ts";
import { addSongsStatusCommand } from "../songs/status-command.ts";
import { addSongsUploadCommand } from "../songs/upload-command.ts";
import type { AddCommand } from "./command.ts";

const HELP = `
In this order; each may be stopped, or killed, and goes on where it was when it is run again:
  kindred songs setup      the table of the embeddings, as a collection
  kindred songs cache      the songs' texts, read once from their database into files
  kindred songs embed      embeddings of the texts, into the embedding cache
  kindred songs upload     the embeddings into the table
  kindred index create songs
  kindred songs status     how far all of this is; also while it runs`;

export const addSongsCommands: AddCommand = (program, run) => {
  const songs = program
    .command("songs")
    .description("millions of songs: read, embedded and loaded, by commands that may be stopped at any time")
    .addHelpText("after", HELP);
  const commands = [
    addSongsSetupCommand,
    addSongsCacheCommand,
    addSongsEmbedCommand,
    addSongsUploadCommand,
    addSongsStatusCommand,
  ];
  for (const add of commands) add(songs, run);
};
