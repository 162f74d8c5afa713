import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface KindredRun {
  readonly args: readonly string[];
  readonly seconds: number;
  /** Most memory that was resident at once, in bytes: VmHWM of /proc; see proc_pid_status(5). */
  readonly peakBytes: number;
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

const BIN = fileURLToPath(new URL("../../apps/cli/bin/kindred.mjs", import.meta.url));
const SAMPLE_MS = 50;

/**
 * Runs the `kindred` command as a process of its own. The peak is read while it lives, twenty times a second: a last leap within 50 ms
 * of its end would be missed.
 * @param options.onStart told its pid, e.g. to kill it
 */
export async function runKindred(
  args: readonly string[],
  options: { env: Readonly<Record<string, string>>; onStart?: (pid: number) => void },
): Promise<KindredRun> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", BIN, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...options.env },
  });
  let [out, err, peakBytes] = ["", "", 0];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  const { pid } = child;
  if (pid === undefined) throw new Error("kindred cannot be started");
  options.onStart?.(pid);
  const timer = setInterval(() => {
    peakBytes = Math.max(peakBytes, peakOf(pid) ?? 0);
  }, SAMPLE_MS);
  try {
    await once(child, "close");
  } finally {
    clearInterval(timer);
  }
  return {
    args,
    seconds: (performance.now() - startedAt) / 1_000,
    peakBytes,
    code: child.exitCode,
    out,
    err,
  };
}

/** undefined when the process has ended meanwhile. */
function peakOf(pid: number): number | undefined {
  try {
    const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1_024;
  } catch {
    return undefined;
  }
}
