import {
  readSongsStatus,
  verifySongsFiles,
  type DamagedFile,
  type SongsLayout,
  type SongsStatus,
} from "@kindred/songs";
import type { Command } from "commander";
import type { Run } from "../commands/command.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { plural } from "../terminal/format.ts";
import { createSteps, silentSteps } from "../terminal/steps.ts";
import { renderStatus, stateOf } from "./render-status.ts";
import { addFolderOption, layoutOf, type SongsOptions } from "./songs-options.ts";

interface StatusOptions extends SongsOptions {
  verify?: boolean;
}

const HELP = `
Reads what the commands write down in the folder, once a second while they run. It disturbs nothing, and needs neither a database nor a service.
--verify reads the songs' files too, and exits with 65 when one is not as it was written.

Examples:
  kindred songs status
  kindred songs status --json | jq .runs.embed.progress`;

export function addSongsStatusCommand(songs: Command, run: Run): void {
  addFolderOption(songs.command("status").description("how far everything is, also while it runs"))
    .option("--verify", "compare the songs' files with their hashes")
    .addHelpText("after", HELP)
    .action((options: StatusOptions, command: Command) =>
      run(command, (context) => status(context, options)),
    );
}

async function status(context: Context, options: StatusOptions): Promise<ExitCode> {
  const { terminal, json } = context;
  const layout = layoutOf(context, options);
  const found = await readSongsStatus(layout);
  const damages = options.verify ? await verify(context, layout, found) : undefined;
  if (json) terminal.json(plainStatus(found, damages));
  else {
    terminal.result(renderStatus(terminal, found, new Date()));
    for (const { name, problem } of damages ?? []) {
      terminal.result(` ${terminal.colors.red("✘")} ${name} ${problem}`);
    }
    if (damages?.length === 0)
      terminal.result(` ${terminal.colors.green("✔")} files are as they were written`);
    else if (damages) terminal.note("  Read the songs again: kindred songs cache --anew");
  }
  return damages === undefined || damages.length === 0 ? EXIT.ok : EXIT.data;
}

async function verify(context: Context, layout: SongsLayout, found: SongsStatus): Promise<DamagedFile[]> {
  const { manifest } = found;
  const damages: DamagedFile[] = [];
  if (!manifest) return damages;
  const total = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  const steps = context.json ? silentSteps : createSteps(context.terminal);
  await steps.run("verify", async (step) => {
    let done = 0;
    for await (const { file, damage } of verifySongsFiles(layout, manifest)) {
      if (damage) damages.push(damage);
      done += file.bytes;
      step.progress("hashing", done, total);
    }
    return { summary: plural(manifest.files.length, "file") };
  });
  return damages;
}

function plainStatus(found: SongsStatus, damages: readonly DamagedFile[] | undefined): object {
  const { folder, manifest, next, embeddingBytes, runs } = found;
  return {
    folder,
    manifest: manifest ?? null,
    next_manifest: next ?? null,
    embedding_bytes: embeddingBytes,
    runs: Object.fromEntries(
      Object.entries(runs).map(([command, run]) => [command, { ...run, state: stateOf(run) }]),
    ),
    ...(damages && { damaged_files: damages }),
  };
}
