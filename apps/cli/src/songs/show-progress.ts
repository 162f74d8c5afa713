import type { Progress } from "@kindred/songs";
import type { Context } from "../context.ts";
import { createSteps } from "../terminal/steps.ts";
import { progressDetail, progressLine } from "./render-progress.ts";

/** Where nobody watches: a line this often. */
const PLAIN_EVERY_MS = 30_000;
const LIVE_EVERY_MS = 200;

/** Shows what a command does while it does it. */
export interface Shown {
  /** A line that is not lost beside the one that moves. */
  note(text: string): void;
}

/**
 * Shows on standard error how far the work is: a line that moves in a terminal, a line every 30 s elsewhere, with --json as JSON.
 * @param work its summary stands in the last line
 */
export async function showingProgress<T extends { summary: string }>(
  context: Pick<Context, "terminal" | "json">,
  name: string,
  progress: Pick<Progress, "snapshot">,
  work: (shown: Shown) => Promise<T>,
  everyMs: number = PLAIN_EVERY_MS,
): Promise<T> {
  const { terminal, json } = context;
  if (terminal.interactive && !json) {
    const steps = createSteps(terminal);
    return await steps.run(name, async (step) => {
      const show = (): void => {
        const now = progress.snapshot();
        step.progress(now.phase, now.done, now.total ?? undefined, progressDetail(now));
      };
      show();
      const timer = setInterval(show, LIVE_EVERY_MS);
      try {
        return await work({ note: (text) => steps.note(text) });
      } finally {
        clearInterval(timer);
      }
    });
  }
  const show = (): void => {
    const now = progress.snapshot();
    terminal.note(json ? JSON.stringify({ progress: now }) : `  ${name.padEnd(6)} ${progressLine(now)}`);
  };
  const timer = setInterval(show, everyMs);
  try {
    const result = await work({
      note: (text) => terminal.note(json ? JSON.stringify({ note: text.trim() }) : text),
    });
    if (!json) terminal.note(`${terminal.colors.green("✔")} ${name.padEnd(6)} ${result.summary}`);
    return result;
  } finally {
    clearInterval(timer);
  }
}
