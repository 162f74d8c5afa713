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
    super(`${command} ${outcome}: ${output.trim().split("\n").at(-1) ?? ""}`);
    this.output = output;
  }
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
    ...(options.timeoutMs === undefined
      ? {}
      : { timeout: options.timeoutMs, killSignal: "SIGKILL" as const }),
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr
    .setEncoding("utf8")
    .on("data", (text: string) => (stderr = (stderr + text).slice(-KEPT_OUTPUT)));
  return await new Promise<string>((resolve, reject) => {
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
}
