import { spawnSync } from "node:child_process";

/**
 * Prometheus' own tool, where it is on PATH.
 * @param input what it reads from standard input
 * @returns what it says, with 0 when it finds nothing to object to; undefined where there is no promtool
 */
export function promtool(
  args: readonly string[],
  { input = "" }: { input?: string } = {},
): { status: number; said: string } | undefined {
  const { error, status, stdout, stderr } = spawnSync("promtool", args, { input, encoding: "utf8" });
  if (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  return { status: status ?? 1, said: `${stdout}${stderr}`.trim() };
}

/** Whether promtool is on PATH; says so on standard error where it is not. */
export function hasPromtool(whatIsNotRun: string): boolean {
  if (promtool(["--version"]) !== undefined) return true;
  process.stderr.write(`not run: ${whatIsNotRun}, for promtool (of Prometheus) is not on PATH\n`);
  return false;
}
