import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { durationOption } from "../commands/parse.ts";
import type { Context } from "../context.ts";
import { interruption } from "../interruption.ts";

export interface RepeatOptions {
  watch?: boolean;
  /** Milliseconds. */
  every?: number;
}

const EVERY_MS = 2_000;

/** Adds the options of RepeatOptions. */
export function addRepeatOptions(command: Command): Command {
  return command
    .option("--watch", "again and again, until Ctrl+C")
    .option("--every <duration>", "how often with --watch (default: 2s)", durationOption("100ms", "1h"));
}

const HOME = "\u001b[H";
const CLEAR_LINE = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";
const CLEAR_SCREEN = "\u001b[2J";

/**
 * Prints what `make` gives: a text, or an object for programs. With `watch` again and again until Ctrl+C, which is no failure: in a terminal in
 * the same place, elsewhere one after the other, for programs a line of JSON each.
 */
export async function repeatedly(
  { terminal, json, env }: Pick<Context, "terminal" | "json" | "env">,
  { watch = false, every = EVERY_MS }: RepeatOptions,
  make: (signal: AbortSignal) => Promise<string | object>,
): Promise<void> {
  using interrupted = interruption(env);
  const { signal } = interrupted;
  if (!watch) {
    const made = await make(signal);
    if (typeof made === "string") terminal.result(made);
    else terminal.json(made);
    return;
  }
  const inPlace = !json && terminal.width !== undefined;
  try {
    if (inPlace) await terminal.part(CLEAR_SCREEN);
    while (!signal.aborted) {
      const made = await make(signal);
      const text = typeof made === "string" ? made : JSON.stringify(made);
      const shown = inPlace
        ? `${HOME}${text.replaceAll("\n", `${CLEAR_LINE}\n`)}${CLEAR_LINE}\n${CLEAR_BELOW}`
        : `${text}\n`;
      if (!(await terminal.part(shown))) return;
      await sleep(every, undefined, { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
