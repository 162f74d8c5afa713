import { spawn } from "node:child_process";
import { messageOf } from "@kindred/errors";

export interface CommandOptions {
  cwd?: string;
  /** User and group to run as; only root may choose. */
  as?: { uid: number; gid: number } | undefined;
  env?: Record<string, string>;
  timeoutMs?: number;
}

export class CommandError extends Error {
  override readonly name = "CommandError";
  /** The end of what it wrote to standard error, or why it could not be started. */
  readonly output: string;
  constructor(command: string, outcome: string, output: string) {
    super(`${command} ${outcome}: ${complaintIn(output)}`);
    this.output = output;
  }
}

/** The first line that calls itself an error, or else the last. */
function complaintIn(output: string): string {
  const lines = output.trim().split("\n");
  const line = lines.find((text) => /\b(error|fatal)\b/i.test(text)) ?? lines.at(-1) ?? "";
  return line.trim();
}

/** Whether a program's output or an error's message says that a disk or a quota is full. */
export function saysDiskFull(text: string): boolean {
  return /No space left on device|Check free disk space|Disk quota exceeded|ENOSPC|EDQUOT/.test(text);
}

const KEPT_OUTPUT = 8192;

/**
 * Runs a command to its end and gives its standard output.
 * @throws CommandError when it cannot be started, fails, or takes longer than it may.
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const child = spawn(command, args, {
    stdio: ["ignore", "pipe", "pipe"],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
    ...options.as,
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr
    .setEncoding("utf8")
    .on("data", (text: string) => (stderr = (stderr + text).slice(-KEPT_OUTPUT)));
  const ended = new Promise<string>((resolve, reject) => {
    child.once("error", (error) =>
      reject(new CommandError(command, "could not be started", messageOf(error))),
    );
    child.once("close", (code, signal) => {
      if (code === 0) resolve(stdout);
      else
        reject(
          new CommandError(command, signal ? `was ended by ${signal}` : `failed (${code})`, stderr || stdout),
        );
    });
  });
  // Not spawn's own timeout: that goes on ticking when the command cannot be started.
  const limit = options.timeoutMs && setTimeout(() => child.kill("SIGKILL"), options.timeoutMs);
  try {
    return await ended;
  } finally {
    clearTimeout(limit);
  }
}
