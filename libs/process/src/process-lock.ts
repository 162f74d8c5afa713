import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile, rename, rm, writeFile } from "node:fs/promises";

/** A process that cannot be taken for a later one with the same number. */
export interface ProcessIdentity {
  pid: number;
  /** When it started, in whatever form the system tells; for comparison only. */
  startedAt: string;
}

/** The process with this number; undefined when there is none, or only one that has ended and that nobody has collected. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const startedAt = process.platform === "linux" ? startOnLinux(pid) : startByPs(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
}

export function isRunning(identity: ProcessIdentity): boolean {
  return identityOf(identity.pid)?.startedAt === identity.startedAt;
}

/** See proc_pid_stat(5): the name, in parentheses, may hold anything; the state follows it, and the start time is field 22. */
function startOnLinux(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // Start times count from the boot; containers of one boot share the clock.
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return fields[0] === "Z" || fields[0] === "X" ? undefined : `${boot}/${fields[19]}`;
  } catch {
    return undefined;
  }
}

function startByPs(pid: number): string | undefined {
  try {
    const text = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
    const [state = "", ...start] = text.split(/\s+/);
    return text === "" || state.startsWith("Z") ? undefined : start.join(" ");
  } catch {
    return undefined;
  }
}

/** Holds a file until it is disposed of. */
export interface ProcessLock extends AsyncDisposable {
  /** Whether an earlier holder died without letting go: what it had started may still be about to end. */
  takenOver: boolean;
}

/**
 * Makes this process the only one that holds the file, until the lock is disposed of. A lock whose holder has died, however
 * it did, is taken over.
 * @returns the holder's pid when another process holds it.
 */
export async function lockFile(path: string): Promise<ProcessLock | { heldBy: number }> {
  const self = JSON.stringify(identityOf(process.pid));
  let takenOver = false;
  for (;;) {
    try {
      await writeFile(path, self, { flag: "wx" });
      return { takenOver, [Symbol.asyncDispose]: () => rm(path, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const holder = await readHolder(path);
    if (holder && isRunning(holder)) return { heldBy: holder.pid };
    await removeStale(path);
    takenOver = true;
  }
}

/** Between looking at a stale lock and removing it, another process may have put its own there: that one goes back. */
async function removeStale(path: string): Promise<void> {
  const aside = `${path}.${process.pid}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  const holder = await readHolder(aside);
  if (holder && isRunning(holder)) await rename(aside, path);
  else await rm(aside, { force: true });
}

/** undefined for a file that is gone by now, or that was half written when its process was killed. */
async function readHolder(path: string): Promise<ProcessIdentity | undefined> {
  try {
    const { pid, startedAt } = JSON.parse(await readFile(path, "utf8")) as Partial<ProcessIdentity>;
    return typeof pid === "number" && typeof startedAt === "string" ? { pid, startedAt } : undefined;
  } catch {
    return undefined;
  }
}
