import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { platform } from "node:os";

/** A process that cannot be taken for a later one with the same number. */
export interface ProcessIdentity {
  pid: number;
  /** When it started, in whatever form the system tells; compared only. */
  startedAt: string;
}

/** The process with this number, or undefined when there is none; a dead one that nobody collected counts as none. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const startedAt = (READERS[platform()] ?? startByPs)(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
}

export function isRunning(identity: ProcessIdentity): boolean {
  return identityOf(identity.pid)?.startedAt === identity.startedAt;
}

const READERS: Partial<Record<NodeJS.Platform, (pid: number) => string | undefined>> = {
  linux: startOnLinux,
  win32: startUnknown,
};

function startOnLinux(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  // The second field is the program's name in parentheses and may hold anything; the third is the state.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, startTicks] = [fields[0], fields[19]];
  return state === "Z" || state === "X" ? undefined : `${bootId()}/${startTicks}`;
}

/** Start times count from the boot, so they tell processes apart within one boot only. */
function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
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

/** Only whether it runs: Windows has no quick way to tell since when. */
function startUnknown(pid: number): string | undefined {
  try {
    process.kill(pid, 0);
    return "unknown";
  } catch {
    return undefined;
  }
}
