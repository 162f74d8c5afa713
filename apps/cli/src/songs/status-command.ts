import { readManifest, readRun, SONGS_COMMANDS } from "@kindred/songs";
import type { Command } from "commander";
import type { Run } from "../commands/command.ts";
import type { Context } from "../context.ts";
import { progressLine } from "./render-progress.ts";
import { addFolderOption, layoutOf, type SongsOptions } from "./songs-options.ts";

export function addSongsStatusCommand(songs: Command, run: Run): void {
  addFolderOption(songs.command("status").description("how far everything is, also while it runs")).action(
    (options: SongsOptions, command: Command) => run(command, (context) => status(context, options)),
  );
}

async function status(context: Context, options: SongsOptions): Promise<void> {
  const layout = layoutOf(context, options);
  const manifest = await readManifest(layout.manifest);
  const runs = [];
  for (const command of SONGS_COMMANDS) {
    const seen = await readRun(layout, command);
    if (seen) runs.push(seen);
  }
  if (context.json) context.terminal.json({ folder: layout.folder, manifest, runs });
  else
    for (const { command, progress } of runs) {
      context.terminal.result(` ${command} ${progressLine(progress)}`);
    }
}
