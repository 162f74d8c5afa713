import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, test } from "@jest/globals";
import { cpuLimit, memoryLimit } from "./index.ts";
import { allowedCores, parseCgroupMemberships, parseCgroupMounts, type Machine } from "./cgroups.ts";
import { parseBytes, parseCpuMax } from "./resource-limits.ts";

const GIB = 2 ** 30;
const V2_MOUNT = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
const V1_MOUNTS =
  "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n" +
  "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n" +
  "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n";

const roots: string[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true });
});

/** A machine of 8 cores and 64 GiB with these files. */
function machine(files: Record<string, string>): Machine {
  const root = mkdtempSync(join(tmpdir(), "kindred-cgroup-"));
  roots.push(root);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return { root, cores: 8, bytes: 64 * GIB };
}

describe("cgroup version 2", () => {
  test("limits of the process's own cgroup", () => {
    const container = machine({
      "proc/self/mountinfo": V2_MOUNT,
      "proc/self/cgroup": "0::/\n",
      "sys/fs/cgroup/cpu.max": "150000 100000\n",
      "sys/fs/cgroup/memory.max": `${2 * GIB}\n`,
    });
    expect(cpuLimit(container)).toEqual({ cores: 1.5, source: "cgroup2" });
    expect(memoryLimit(container)).toEqual({ bytes: 2 * GIB, source: "cgroup2" });
  });

  test("the tightest of nested cgroups counts, wherever it stands", () => {
    const nested = machine({
      "proc/self/mountinfo": V2_MOUNT,
      "proc/self/cgroup": "0::/kubepods/pod1/app\n",
      "sys/fs/cgroup/kubepods/cpu.max": "400000 100000",
      "sys/fs/cgroup/kubepods/pod1/cpu.max": "50000 100000",
      "sys/fs/cgroup/kubepods/pod1/app/cpu.max": "max 100000",
      "sys/fs/cgroup/kubepods/pod1/memory.max": "max",
      "sys/fs/cgroup/kubepods/pod1/app/memory.max": String(3 * GIB),
      // A sibling's limit is nobody else's.
      "sys/fs/cgroup/kubepods/pod2/cpu.max": "1000 100000",
    });
    expect(cpuLimit(nested)).toEqual({ cores: 0.5, source: "cgroup2" });
    expect(memoryLimit(nested)).toEqual({ bytes: 3 * GIB, source: "cgroup2" });
  });

  test("no limit, and one beyond the machine's size, are the host's", () => {
    const open = machine({
      "proc/self/mountinfo": V2_MOUNT,
      "proc/self/cgroup": "0::/user.slice\n",
      "sys/fs/cgroup/user.slice/cpu.max": "max 100000",
      "sys/fs/cgroup/user.slice/memory.max": String(100 * GIB),
    });
    expect(cpuLimit(open)).toEqual({ cores: 8, source: "host" });
    expect(memoryLimit(open)).toEqual({ bytes: 64 * GIB, source: "host" });
  });
});

describe("cgroup version 1", () => {
  test("quota over period, and a nested memory limit", () => {
    const nested = machine({
      "proc/self/mountinfo": V1_MOUNTS,
      "proc/self/cgroup": "4:memory:/docker/abc\n1:cpu,cpuacct:/docker/abc\n",
      "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "250000\n",
      "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n",
      "sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us": "-1\n",
      "sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us": "100000\n",
      "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": `${GIB}\n`,
      "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    });
    expect(cpuLimit(nested)).toEqual({ cores: 2.5, source: "cgroup1" });
    expect(memoryLimit(nested)).toEqual({ bytes: GIB, source: "cgroup1" });
  });

  test("a container without a cgroup namespace sees its own cgroup at the mount point", () => {
    const container = machine({
      "proc/self/mountinfo":
        "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro,relatime - cgroup cgroup rw,memory\n",
      "proc/self/cgroup": "4:memory:/docker/abc\n",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": String(GIB),
    });
    expect(memoryLimit(container)).toEqual({ bytes: GIB, source: "cgroup1" });
  });

  test("a process outside of what is mounted takes the mount point's limit", () => {
    const container = machine({
      "proc/self/mountinfo": "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
      "proc/self/cgroup": "4:memory:/../other\n",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": String(GIB),
    });
    expect(memoryLimit(container)).toEqual({ bytes: GIB, source: "cgroup1" });
  });

  test("without a quota the cores are the host's", () => {
    const open = machine({
      "proc/self/mountinfo": V1_MOUNTS,
      "proc/self/cgroup": "4:memory:/\n1:cpu,cpuacct:/\n",
      "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
      "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    });
    expect(cpuLimit(open)).toEqual({ cores: 8, source: "host" });
    expect(memoryLimit(open)).toEqual({ bytes: 64 * GIB, source: "host" });
  });
});

test("a hybrid system: version 2 without controllers, the limits in version 1", () => {
  const hybrid = machine({
    "proc/self/mountinfo": `${V1_MOUNTS}41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n`,
    "proc/self/cgroup": "4:memory:/app\n1:cpu,cpuacct:/\n0::/\n",
    "sys/fs/cgroup/unified/cgroup.procs": "1\n",
    "sys/fs/cgroup/memory/app/memory.limit_in_bytes": String(GIB),
  });
  expect(memoryLimit(hybrid)).toEqual({ bytes: GIB, source: "cgroup1" });
  expect(cpuLimit(hybrid)).toEqual({ cores: 8, source: "host" });
});

test("a system without cgroups has the host's limits", () => {
  expect(cpuLimit(machine({}))).toEqual({ cores: 8, source: "host" });
  expect(memoryLimit(machine({}))).toEqual({ bytes: 64 * GIB, source: "host" });
});

test("this very process has limits within those of its machine", () => {
  expect(cpuLimit().cores).toBeGreaterThan(0);
  expect(cpuLimit().cores).toBeLessThanOrEqual(availableParallelism());
  expect(memoryLimit().bytes).toBeGreaterThan(0);
  expect(memoryLimit().bytes).toBeLessThanOrEqual(totalmem());
});

describe("parsing", () => {
  test("the cores that the scheduler allows, which no quota makes fewer", () => {
    const status = (list: string): string =>
      `Cpus_allowed:\tff\nCpus_allowed_list:\t${list}\nMems_allowed:\t1\n`;
    expect(allowedCores(status("0-3"))).toBe(4);
    expect(allowedCores(status("5"))).toBe(1);
    expect(allowedCores(status("0-1,4,8-11"))).toBe(7);
    for (const text of ["", "Cpus_allowed_list:\n"]) expect(allowedCores(text)).toBeUndefined();
  });

  test("cpu.max", () => {
    expect(parseCpuMax("50000 100000\n")).toBe(0.5);
    for (const text of ["max 100000", "", "0 100000", "5 0", "-1 100000", "a b"]) {
      expect(parseCpuMax(text)).toBeUndefined();
    }
  });

  test("sizes", () => {
    expect(parseBytes("1073741824\n")).toBe(GIB);
    for (const text of ["max\n", "", "-1", "1e9"]) expect(parseBytes(text)).toBeUndefined();
  });

  test("mountinfo with optional fields and escaped blanks; other file systems are left out", () => {
    expect(
      parseCgroupMounts(
        `${V1_MOUNTS}9 1 0:1 /a\\040b /mnt/c\\040d rw shared:1 master:2 - cgroup cgroup rw,cpu\nnonsense\n`,
      ),
    ).toEqual([
      {
        version: 1,
        mountPoint: "/sys/fs/cgroup/cpu,cpuacct",
        root: "/",
        controllers: ["rw", "cpu", "cpuacct"],
      },
      { version: 1, mountPoint: "/sys/fs/cgroup/memory", root: "/", controllers: ["rw", "memory"] },
      { version: 1, mountPoint: "/mnt/c d", root: "/a b", controllers: ["rw", "cpu"] },
    ]);
  });

  test("memberships, also in a path with a colon", () => {
    expect(
      parseCgroupMemberships("9:name=systemd:/\n1:cpu,cpuacct:/a:b\n0::/user.slice\nnonsense\n"),
    ).toEqual([
      { controllers: ["name=systemd"], path: "/" },
      { controllers: ["cpu", "cpuacct"], path: "/a:b" },
      { controllers: [], path: "/user.slice" },
    ]);
  });
});
