import { join } from "node:path";
import { cgroupsOf, readText, thisMachine, type Machine } from "./cgroups.ts";

/** Where a limit was found: the cgroup hierarchy of either version, or the host itself where no cgroup limits. */
export type LimitSource = "cgroup2" | "cgroup1" | "host";

export interface CpuLimit {
  /** Cores' worth of CPU time, more than 0; may be a fraction such as 0.5. */
  cores: number;
  source: LimitSource;
}

export interface MemoryLimit {
  bytes: number;
  source: LimitSource;
}

/** "200000 100000" of cpu.max is 2 cores; undefined for "max" and for what is no such text. */
export function parseCpuMax(text: string): number | undefined {
  const [quota, period] = text.trim().split(/\s+/);
  return coresOf(quota, period);
}

/** Bytes of memory.max or memory.limit_in_bytes; undefined for "max" and for what is no number. */
export function parseBytes(text: string): number | undefined {
  const trimmed = text.trim();
  return /^\d+$/.test(trimmed) ? Number(trimmed) : undefined;
}

function coresOf(quota: string | undefined, period: string | undefined): number | undefined {
  if (!/^\d+$/.test(quota ?? "") || !/^\d+$/.test(period ?? "")) return undefined;
  const cores = Number(quota) / Number(period);
  return Number.isFinite(cores) && cores > 0 ? cores : undefined;
}

/**
 * How much CPU time this process may use: the tightest quota of its cgroup and of every cgroup above it (version 2,
 * then version 1), or the cores of the host that it may run on where those are fewer.
 */
export function cpuLimit(machine: Machine = thisMachine()): CpuLimit {
  const limit = tightest(machine, "cpu", {
    2: (folder) => parseCpuMax(readText(join(folder, "cpu.max"))),
    1: (folder) =>
      coresOf(
        readText(join(folder, "cpu.cfs_quota_us")).trim(),
        readText(join(folder, "cpu.cfs_period_us")).trim(),
      ),
  });
  return limit && limit.value < machine.cores
    ? { cores: limit.value, source: limit.source }
    : { cores: machine.cores, source: "host" };
}

/**
 * How much memory this process may use, found as cpuLimit does. Swap does not count. A limit beyond the physical
 * memory is none.
 */
export function memoryLimit(machine: Machine = thisMachine()): MemoryLimit {
  const limit = tightest(machine, "memory", {
    2: (folder) => parseBytes(readText(join(folder, "memory.max"))),
    1: (folder) => parseBytes(readText(join(folder, "memory.limit_in_bytes"))),
  });
  return limit && limit.value < machine.bytes
    ? { bytes: limit.value, source: limit.source }
    : { bytes: machine.bytes, source: "host" };
}

/** On a hybrid system each controller is in one of the two hierarchies only: the first that has a limit counts. */
function tightest(
  machine: Machine,
  controller: string,
  read: Record<1 | 2, (folder: string) => number | undefined>,
): { value: number; source: LimitSource } | undefined {
  for (const { version, folders } of cgroupsOf(machine, controller)) {
    const limits = folders
      .map((folder) => read[version](join(machine.root, folder)))
      .filter((limit) => limit !== undefined);
    if (limits.length > 0) return { value: Math.min(...limits), source: `cgroup${version}` };
  }
  return undefined;
}
