import { readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { join, posix } from "node:path";

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

/** What tests put in the place of this machine. */
export interface Machine {
  /** The folder that holds `proc` and `sys`. */
  root: string;
  /** Cores that the scheduler lets this process run on. */
  cores: number;
  /** Physical memory in bytes. */
  bytes: number;
}

const thisMachine = (): Machine => ({ root: "/", cores: availableParallelism(), bytes: totalmem() });

/** A mounted cgroup hierarchy. */
interface CgroupMount {
  version: 1 | 2;
  mountPoint: string;
  /** The cgroup that is seen at the mount point: not "/" in a container without a cgroup namespace of its own. */
  root: string;
  /** Version 1 only, e.g. ["cpu", "cpuacct"]. */
  controllers: readonly string[];
}

/** The cgroup that a process is in; a hierarchy of version 2 has no controllers here. */
interface CgroupMembership {
  controllers: readonly string[];
  path: string;
}

/** The cgroup hierarchies in the text of /proc/self/mountinfo; see proc_pid_mountinfo(5). */
export function parseCgroupMounts(mountinfo: string): CgroupMount[] {
  return mountinfo.split("\n").flatMap((line): CgroupMount[] => {
    const [mount, filesystem] = line.split(" - ", 2);
    const [root, mountPoint] = mount?.split(" ").slice(3, 5) ?? [];
    const [type, , options] = filesystem?.split(" ") ?? [];
    if (root === undefined || mountPoint === undefined || (type !== "cgroup" && type !== "cgroup2"))
      return [];
    return [
      {
        version: type === "cgroup2" ? 2 : 1,
        mountPoint: unescapeOctal(mountPoint),
        root: unescapeOctal(root),
        controllers: type === "cgroup" ? (options?.split(",") ?? []) : [],
      },
    ];
  });
}

/** Blanks and backslashes stand as \040 and the like in mountinfo. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/** The lines `id:controllers:path` of /proc/self/cgroup; see cgroups(7). */
export function parseCgroupMemberships(text: string): CgroupMembership[] {
  return text.split("\n").flatMap((line): CgroupMembership[] => {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line);
    if (!match) return [];
    return [{ controllers: match[1] ? match[1].split(",") : [], path: match[2] as string }];
  });
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
  const mounts = parseCgroupMounts(readText(join(machine.root, "proc/self/mountinfo")));
  const memberships = parseCgroupMemberships(readText(join(machine.root, "proc/self/cgroup")));
  for (const version of [2, 1] as const) {
    const mount = mounts.find(
      (m) => m.version === version && (version === 2 || m.controllers.includes(controller)),
    );
    const membership = memberships.find((m) =>
      version === 2 ? m.controllers.length === 0 : m.controllers.includes(controller),
    );
    if (!mount || !membership) continue;
    const limits = foldersOf(mount, membership.path)
      .map((folder) => read[version](join(machine.root, folder)))
      .filter((limit) => limit !== undefined);
    if (limits.length > 0) return { value: Math.min(...limits), source: `cgroup${version}` };
  }
  return undefined;
}

/** The cgroup's folder and those above it, up to the mount point. */
function foldersOf(mount: CgroupMount, path: string): string[] {
  let inside = posix.relative(mount.root, path);
  // A process outside of what is mounted: the mount point is the nearest cgroup that can be seen.
  if (inside === ".." || inside.startsWith("../")) inside = "";
  const folders = [mount.mountPoint];
  for (const name of inside.split("/").filter(Boolean))
    folders.unshift(posix.join(folders[0] as string, name));
  return folders;
}

/** Empty where there is no such file: other systems, and hierarchies without this controller. */
function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES" || code === "EPERM") return "";
    throw error;
  }
}
