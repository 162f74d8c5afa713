import { join } from "node:path";
import { cgroupsOf, readText, type Machine } from "./cgroups.ts";

/** Where a value is from: the process itself, its control group of version 2 or 1, the whole machine. */
export type UsageSource = "process" | "cgroup2" | "cgroup1" | "host";

/** CPU time that was used so far, ever growing, in microseconds. */
export interface CpuTime {
  micros: number;
  source: UsageSource;
}

export interface MemoryUse {
  bytes: number;
  source: UsageSource;
}

/**
 * CPU time of the control group that this process is in: usage_usec of cpu.stat in version 2 (Linux, Documentation/admin-guide/cgroup-v2.rst),
 * cpuacct.usage in version 1, which is in nanoseconds. Undefined where there is none.
 */
export function cgroupCpuTime(machine: Machine): CpuTime | undefined {
  for (const { version, folders } of cgroupsOf(machine, "cpuacct")) {
    const folder = join(machine.root, folders[0]);
    const micros =
      version === 2
        ? valueOf(readText(join(folder, "cpu.stat")), "usage_usec")
        : thousandth(numberIn(readText(join(folder, "cpuacct.usage"))));
    if (micros !== undefined) return { micros, source: `cgroup${version}` };
  }
  return undefined;
}

/**
 * Memory of the control group that this process is in, without the file pages that the kernel drops first when memory runs short: what
 * the kubelet calls the working set. Undefined where there is none; the root group of version 2 has no such figure.
 */
export function cgroupMemory(machine: Machine): MemoryUse | undefined {
  for (const { version, folders } of cgroupsOf(machine, "memory")) {
    const folder = join(machine.root, folders[0]);
    const [usage, inactive] = version === 2 ? V2_MEMORY : V1_MEMORY;
    const used = numberIn(readText(join(folder, usage)));
    const droppable = valueOf(readText(join(folder, "memory.stat")), inactive);
    if (used !== undefined)
      return { bytes: Math.max(0, used - (droppable ?? 0)), source: `cgroup${version}` };
  }
  return undefined;
}

const V2_MEMORY = ["memory.current", "inactive_file"] as const;
const V1_MEMORY = ["memory.usage_in_bytes", "total_inactive_file"] as const;

/** /proc/stat counts in hundredths of a second, whatever the kernel's clock: USER_HZ of proc_stat(5). */
const MICROS_A_TICK = 10_000;

/** CPU time of the whole machine: all that is neither idle nor waiting. Undefined where there is no /proc. */
export function hostCpuTime(machine: Machine): CpuTime | undefined {
  const [, ticks] = /^cpu +([\d ]+)$/m.exec(readText(join(machine.root, "proc/stat"))) ?? [];
  if (ticks === undefined) return undefined;
  // Guests' time is in user and nice already.
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = ticks
    .split(" ")
    .map((text) => Number(text));
  return { micros: MICROS_A_TICK * (user + nice + system + irq + softirq + steal), source: "host" };
}

/** All cores and all memory of the machine, whoever may use them. Undefined where there is no /proc. */
export function hostSize(machine: Machine): { cores: number; bytes: number } | undefined {
  const cores = readText(join(machine.root, "proc/stat")).match(/^cpu\d+ /gm)?.length;
  const total = valueOf(readText(join(machine.root, "proc/meminfo")), "MemTotal:");
  return cores === undefined || total === undefined ? undefined : { cores, bytes: 1024 * total };
}

/** Memory of the whole machine that is not available to whoever wants some. Undefined where there is no /proc. */
export function hostMemory(machine: Machine): MemoryUse | undefined {
  const text = readText(join(machine.root, "proc/meminfo"));
  const [total, available] = ["MemTotal:", "MemAvailable:"].map((name) => valueOf(text, name));
  if (total === undefined || available === undefined) return undefined;
  return { bytes: 1024 * (total - available), source: "host" };
}

/**
 * Whether the control group holds this process and its family only, so that what it uses is what this process uses, its children included.
 * A container with one service is such a group; the session of somebody who runs several is none. In version 1 each controller has groups of its own.
 */
export function ownsCgroup(machine: Machine, pid: number, controller: "cpuacct" | "memory"): boolean {
  const [cgroup] = cgroupsOf(machine, controller);
  if (!cgroup) return false;
  const members = readText(join(machine.root, cgroup.folders[0], "cgroup.procs"))
    .split("\n")
    .filter(Boolean)
    .map(Number);
  const ancestors = new Set(ancestry(machine, pid));
  return (
    members.includes(pid) &&
    members.every((member) => ancestors.has(member) || ancestry(machine, member).includes(pid))
  );
}

/** The process, its parent, and so on. */
function ancestry(machine: Machine, pid: number): number[] {
  const found: number[] = [];
  for (let current = pid; current > 0 && !found.includes(current); current = parentOf(machine, current))
    found.push(current);
  return found;
}

/** 0 for the first process, and for one that has ended. The name before it may hold anything: see proc_pid_stat(5). */
function parentOf(machine: Machine, pid: number): number {
  const [, parent] = /^.*\) \S (\d+)/s.exec(readText(join(machine.root, `proc/${pid}/stat`))) ?? [];
  return Number(parent ?? 0);
}

/** The number after the name, at the beginning of a line. */
function valueOf(text: string, name: string): number | undefined {
  const line = text.split("\n").find((each) => each.startsWith(`${name} `));
  return line === undefined ? undefined : numberIn(line.slice(name.length).trim().split(" ")[0] ?? "");
}

function numberIn(text: string): number | undefined {
  return /^\d+\s*$/.test(text) ? Number(text) : undefined;
}

function thousandth(value: number | undefined): number | undefined {
  return value === undefined ? undefined : value / 1000;
}
