import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** What takes microseconds has been left lying about by a process that died, when it is this old. */
const ABANDONED_MS = 5000;
const RETRY_MS = 5;

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
    if (tryCreate(path, self)) {
      return { takenOver, [Symbol.asyncDispose]: () => rm(path, { force: true }) };
    }
    const holder = await readHolder(path);
    if (holder && isRunning(holder)) return { heldBy: holder.pid };
    await removeStale(path);
    takenOver = true;
    await sleep(RETRY_MS);
  }
}

/** Pid of the living process that holds the file; undefined when none does. Changes nothing. */
export async function readLock(path: string): Promise<number | undefined> {
  const holder = await readHolder(path);
  return holder && isRunning(holder) ? holder.pid : undefined;
}

/** The file is there with all that it says, or not at all: an empty one would be taken for stale. */
function tryCreate(path: string, text: string): boolean {
  const whole = `${path}.${process.pid}.${randomUUID()}`;
  try {
    writeFileSync(whole, text);
    linkSync(whole, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return false;
  } finally {
    rmSync(whole, { force: true });
  }
}

/** Of several that saw the lock stale, one may have put its own there by now: one at a time looks again before it removes. */
async function removeStale(path: string): Promise<void> {
  const guard = `${path}.removing`;
  try {
    mkdirSync(guard);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    const stats = statSync(guard, { throwIfNoEntry: false });
    if (stats && Date.now() - stats.mtimeMs > ABANDONED_MS) rmSync(guard, { recursive: true, force: true });
    return;
  }
  try {
    const holder = await readHolder(path);
    if (!holder || !isRunning(holder)) rmSync(path, { force: true });
  } finally {
    rmSync(guard, { recursive: true, force: true });
  }
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
