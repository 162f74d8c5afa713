import type { WriteStream } from "node:tty";
import pc from "picocolors";

export type Colors = ReturnType<typeof pc.createColors>;

/** Where a command writes: results go to standard output, everything else to standard error. */
export interface Terminal {
  readonly colors: Colors;
  /** Whether somebody watches standard error, so that lines may move. */
  readonly interactive: boolean;
  /** Columns of standard output; undefined when it is no terminal, and nothing has to be cut. */
  readonly width: number | undefined;
  /** A line, or several, of the result. */
  result(text: string): void;
  /** A part of a long result, as it is. Resolves when there is room for more; with false when nobody takes any more. */
  part(text: string): Promise<boolean>;
  /** The result for programs. */
  json(value: unknown): void;
  /** A line, or several, that is no result. */
  note(text: string): void;
}

type Stream = NodeJS.WritableStream & Partial<Pick<WriteStream, "isTTY" | "columns">>;

export function createTerminal(options: {
  stdout: Stream;
  stderr: Stream;
  env: Readonly<Record<string, string | undefined>>;
}): Terminal {
  const { stdout, stderr, env } = options;
  // https://no-color.org and https://force-color.org
  const colored = env["NO_COLOR"] ? false : env["FORCE_COLOR"] ? true : stdout.isTTY === true;
  return {
    colors: pc.createColors(colored),
    interactive: stderr.isTTY === true && env["TERM"] !== "dumb" && !env["CI"],
    width: stdout.isTTY === true ? stdout.columns : undefined,
    result: (text) => void stdout.write(`${text}\n`),
    part: (text) => new Promise((resolve) => stdout.write(text, (error) => resolve(!error))),
    json: (value) => void stdout.write(`${JSON.stringify(value, undefined, 2)}\n`),
    note: (text) => void stderr.write(`${text}\n`),
  };
}
