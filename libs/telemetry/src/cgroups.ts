import { readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { join, posix } from "node:path";

/** What tests put in the place of this machine. */
export interface Machine {
  /** The folder that holds `proc` and `sys`. */
  root: string;
  /** Cores that the scheduler lets this process run on. */
  cores: number;
  /** Physical memory in bytes. */
  bytes: number;
}

export const thisMachine = (): Machine => ({
  root: "/",
  // availableParallelism() heeds the cgroup's quota too, in whole cores: 1 for one and a half.
  cores: allowedCores(readText("/proc/self/status")) ?? availableParallelism(),
  bytes: totalmem(),
});

/** How many cores a line such as "Cpus_allowed_list: 0-3,8" of /proc/self/status has; see cpuset(7), "List format". */
export function allowedCores(status: string): number | undefined {
  const [, list] = /^Cpus_allowed_list:\s*([\d,-]+)$/m.exec(status) ?? [];
  return list?.split(",").reduce((cores, range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return cores + last - first + 1;
  }, 0);
}

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

/** A cgroup as this process sees it: its own folder first, then those above it, up to the mount point; paths below `root`. */
export interface Cgroup {
  version: 1 | 2;
  folders: readonly [string, ...string[]];
}

/** The cgroups that this process is in for that controller: of version 2, then of version 1. */
export function cgroupsOf(machine: Machine, controller: string): Cgroup[] {
  const mounts = parseCgroupMounts(readText(join(machine.root, "proc/self/mountinfo")));
  const memberships = parseCgroupMemberships(readText(join(machine.root, "proc/self/cgroup")));
  return ([2, 1] as const).flatMap((version): Cgroup[] => {
    const mount = mounts.find(
      (m) => m.version === version && (version === 2 || m.controllers.includes(controller)),
    );
    const membership = memberships.find((m) =>
      version === 2 ? m.controllers.length === 0 : m.controllers.includes(controller),
    );
    return mount && membership ? [{ version, folders: foldersOf(mount, membership.path) }] : [];
  });
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

/** The cgroup's folder and those above it, up to the mount point. */
function foldersOf(mount: CgroupMount, path: string): [string, ...string[]] {
  let inside = posix.relative(mount.root, path);
  // A process outside of what is mounted: the mount point is the nearest cgroup that can be seen.
  if (inside === ".." || inside.startsWith("../")) inside = "";
  const folders: [string, ...string[]] = [mount.mountPoint];
  for (const name of inside.split("/").filter(Boolean)) folders.unshift(posix.join(folders[0], name));
  return folders;
}

/** Empty where there is no such file: other systems, and hierarchies without this controller. */
export function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES" || code === "EPERM") return "";
    throw error;
  }
}
