import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { runCli } from "../src/run-cli.ts";
import type { Outcome } from "./kindred.ts";

/** Runs a command line in this process, without a terminal. */
export async function runInProcess(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Outcome> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const written = Promise.all([text(stdout), text(stderr)]);
  const code = await runCli(args, { env, stdout, stderr });
  stdout.end();
  stderr.end();
  const [out, err] = await written;
  return { code, out, err };
}
