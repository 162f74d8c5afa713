import { createInterface } from "node:readline/promises";
import type { Readable } from "node:stream";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";

export interface Asked {
  /** What somebody agrees to, without a question mark. */
  question: string;
  /** Agreed to on the command line. */
  yes: boolean;
  /** Whether somebody watches and can answer. */
  interactive: boolean;
  input: Readable;
  output: NodeJS.WritableStream;
}

/** Returns when somebody has agreed. @throws Failure when nobody has, or nobody can be asked. */
export async function confirm({ question, yes, interactive, input, output }: Asked): Promise<void> {
  if (yes) return;
  if (!interactive) {
    throw new Failure(`${question}? There is no terminal to ask at.`, {
      exitCode: EXIT.usage,
      remedy: "Agree to it with --yes.",
    });
  }
  const gone = new AbortController();
  const lines = createInterface({ input, output });
  // Ctrl+C, and the end of the input.
  lines.once("SIGINT", () => gone.abort()).once("close", () => gone.abort());
  let answer: string;
  try {
    answer = await lines.question(`${question}? [y/N] `, { signal: gone.signal });
  } catch (error) {
    if (!gone.signal.aborted) throw error;
    output.write("\n");
    throw new Failure(NOTHING_DONE, { exitCode: EXIT.interrupted, cause: error });
  } finally {
    lines.close();
  }
  if (!/^y(es)?$/i.test(answer.trim())) throw new Failure(NOTHING_DONE);
}

const NOTHING_DONE = "Nothing was done.";

/** At the terminal of this process. */
export function confirmHere(question: string, context: { json: boolean }, yes: boolean): Promise<void> {
  const { stdin, stderr } = process;
  const interactive = !context.json && stdin.isTTY === true && stderr.isTTY === true;
  return confirm({ question, yes, interactive, input: stdin, output: stderr });
}
