import { startSongsRun, type Progress, type SongsCommand, type SongsLayout } from "@kindred/songs";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { explain, Failure } from "../failure.ts";
import { unwritable } from "../file-error.ts";
import { interruption } from "../interruption.ts";
import { showingProgress } from "./show-progress.ts";
import { isStageFailure } from "./stage-failure.ts";

export interface SongsWork {
  /** Aborted by the first Ctrl+C; a second one ends the process. */
  signal: AbortSignal;
  note(text: string): void;
}

export interface SongsCommandOptions {
  command: SongsCommand;
  layout: SongsLayout;
  progress: Progress;
  /** The command line that goes on where this run ends, e.g. "kindred songs cache --folder /data/songs". Without passwords.
   * A function is asked when it is needed. */
  resume: string | (() => string);
}

/**
 * Does a command's work as the only one on this folder, shows how far it is, and writes it down for `kindred songs status`.
 * When the work rejects after Ctrl+C, the run was interrupted: exit code 130, and how to go on.
 * @throws Failure, or what the work rejects with
 */
export async function runSongsCommand<T extends { summary: string }>(
  context: Context,
  options: SongsCommandOptions,
  work: (deps: SongsWork) => Promise<T>,
): Promise<T> {
  const { command, layout, progress } = options;
  const resume = (): string =>
    `Go on with: ${typeof options.resume === "string" ? options.resume : options.resume()}`;
  using interrupted = interruption(context.env);
  const { signal } = interrupted;
  await using run = await startRun(context, options);
  try {
    const result = await showingProgress(context, command, progress, ({ note }) => {
      if (run.takenOver) note("  an earlier run was killed; going on where it got to");
      return work({ signal, note });
    });
    await run.end("done", result.summary);
    return result;
  } catch (error) {
    // What goes wrong while one stops, a full disk above all, is worth more words than the wish to stop.
    if (signal.aborted && !isStageFailure(error)) {
      await run.end("interrupted", "stopped by Ctrl+C");
      throw new Failure(`Stopped; what was done so far is kept in ${layout.folder}.`, {
        exitCode: EXIT.interrupted,
        remedy: resume(),
        cause: error,
      });
    }
    const { message, remedy, exitCode } = explain(error, context.url);
    await run.end("failed", message);
    // What a remedy says comes first; how to go on then is the same for all of them.
    throw new Failure(message, {
      exitCode,
      remedy: [remedy, resume()].filter((line) => line !== undefined).join("\n  "),
      cause: error,
    });
  }
}

async function startRun(
  context: Context,
  { layout, command, progress }: SongsCommandOptions,
): ReturnType<typeof startSongsRun> {
  try {
    return await startSongsRun(layout, command, progress, {
      onRecordError: (error) =>
        context.terminal.note(`  ${unwritable(layout.run(command), error).message} The work goes on.`),
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    throw unwritable(layout.folder, error);
  }
}
