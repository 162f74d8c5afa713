import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Machine } from "./cgroups.ts";
import { measureEventLoopLag } from "./event-loop-lag.ts";
import { gpuSampler, parseGpus } from "./gpu-sampler.ts";
import { createProcessSampler, type SampledSource } from "./index.ts";
import { diskMeter } from "./process-sampler.ts";

const NO_GPU = "/nowhere/nvidia-smi";
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kindred-sampler-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("CPU", () => {
  test("is the time used since the sample before, in percent of one core", async () => {
    const readings = [
      { at: 0, user: 5_000_000, system: 1_000_000 },
      { at: 1000, user: 5_200_000, system: 1_050_000 }, // 0.25 s in 1 s
      { at: 3000, user: 8_200_000, system: 2_050_000 }, // 4 s in 2 s: two cores
    ];
    let i = -1;
    const sampler = createProcessSampler({
      nvidiaSmi: NO_GPU,
      now: () => readings[++i]?.at as number,
      cpuTime: () => readings[i] as { user: number; system: number },
      source: "process",
    });
    expect((await sampler.sample()).cpuUsage).toBe(25);
    expect((await sampler.sample()).cpuUsage).toBe(200);
  });

  test("is absent when no time has passed, and that time counts for the next sample", async () => {
    const clock = [0, 0, 1000];
    const used = [0, 100_000, 500_000];
    let i = -1;
    const sampler = createProcessSampler({
      nvidiaSmi: NO_GPU,
      now: () => clock[++i] as number,
      cpuTime: () => ({ user: used[i] as number, system: 0 }),
      source: "process",
    });
    expect(await sampler.sample()).not.toHaveProperty("cpuUsage");
    expect((await sampler.sample()).cpuUsage).toBe(50);
  });
});

test("memory and disk of this process are in MiB", async () => {
  const { blocks, bsize } = statfsSync(process.cwd());
  const sample = await createProcessSampler({ nvidiaSmi: NO_GPU }).sample();
  expect(sample.memoryUsageMb).toBeGreaterThan(10);
  expect(sample.memoryUsageMb).toBeLessThan(100_000);
  expect(sample.diskUsageMb).toBeGreaterThan(0);
  expect(sample.diskUsageMb).toBeLessThanOrEqual((blocks * bsize) / 2 ** 20);
  expect(sample.cpuUsage).toBeGreaterThanOrEqual(0);
});

test("a file system that does not answer leaves out the disk, and is not asked again until it has answered", async () => {
  let asked = 0;
  const hanging = Promise.withResolvers<{ blocks: number; bfree: number; bsize: number }>();
  const read = diskMeter(() => {
    asked += 1;
    return hanging.promise;
  });
  expect(await read()).toBeUndefined();
  expect(await read()).toBeUndefined();
  expect(asked).toBe(1);
  hanging.resolve({ blocks: 512, bfree: 256, bsize: 4096 });
  await hanging.promise;
  await sleep(1);
  expect(await read()).toEqual({ diskUsageMb: 1, diskTotalMb: 2 });
});

test("a folder that is gone leaves out the disk, and nothing else", async () => {
  const sample = await createProcessSampler({ folder: join(folder, "gone"), nvidiaSmi: NO_GPU }).sample();
  expect(sample).not.toHaveProperty("diskUsageMb");
  expect(sample.memoryUsageMb).toBeGreaterThan(0);
});

/** A tool that notes each call and then runs `script`. */
function tool(name: string, script: string): { path: string; calls: () => number } {
  const path = join(folder, name);
  const log = `${path}.log`;
  writeFileSync(log, "");
  writeFileSync(path, `#!/bin/sh\necho "$@" >> '${log}'\n${script}\n`);
  chmodSync(path, 0o755);
  return { path, calls: () => readFileSync(log, "utf8").split("\n").length - 1 };
}

const H200 = "0, NVIDIA H200, 1024, 143771, 37, 41, 121.48, Disabled";
const OTHER = "1, NVIDIA H200, 512, 143771, [N/A], 39, [N/A], [N/A]";

describe("GPUs", () => {
  test("are given each by itself, and their memory together", async () => {
    const smi = tool("two-gpus", `echo '${H200}'\necho '${OTHER}'`);
    const sampler = createProcessSampler({ nvidiaSmi: smi.path });
    const sample = await sampler.sample();
    expect(sample.gpuMemoryMb).toBe(1536);
    expect(sample.gpus).toEqual([
      {
        index: 0,
        name: "NVIDIA H200",
        memoryUsedMb: 1024,
        memoryTotalMb: 143_771,
        utilization: 37,
        temperature: 41,
        power: 121.48,
      },
      { index: 1, name: "NVIDIA H200", memoryUsedMb: 512, memoryTotalMb: 143_771, temperature: 39 },
    ]);
    expect(sample).not.toHaveProperty("gpuProblem");
    expect((await sampler.sample()).gpuMemoryMb).toBe(1536);
    expect(smi.calls()).toBe(2);
  });

  test("are absent where there is no tool, or no device", async () => {
    const none = tool("no-devices", "echo 'No devices were found'; exit 6");
    for (const path of [NO_GPU, none.path]) {
      const sampler = createProcessSampler({ nvidiaSmi: path });
      for (let i = 0; i < 3; i++) {
        const sample = await sampler.sample();
        for (const name of ["gpus", "gpuMemoryMb", "gpuProblem"]) expect(sample).not.toHaveProperty(name);
      }
    }
    expect(none.calls()).toBe(1);
  });

  test("of a tool that fails have no values but a problem, and it is not asked every time", async () => {
    const smi = tool(
      "fails",
      "echo; echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18",
    );
    const sampler = createProcessSampler({ nvidiaSmi: smi.path });
    for (let i = 0; i < 3; i++) {
      const sample = await sampler.sample();
      expect(sample.gpuProblem).toBe(
        "nvidia-smi failed: Failed to initialize NVML: Driver/library version mismatch",
      );
      expect(sample).not.toHaveProperty("gpuMemoryMb");
    }
    expect(smi.calls()).toBe(1);
  });

  test("that are gone after they were there are a problem, and not a machine without GPU", async () => {
    const marker = join(folder, "fallen");
    const smi = tool(
      "falls",
      `if [ -e '${marker}' ]; then echo 'No devices were found'; exit 6; fi; echo '${H200}'`,
    );
    const sampler = createProcessSampler({ nvidiaSmi: smi.path });
    expect((await sampler.sample()).gpuMemoryMb).toBe(1024);
    writeFileSync(marker, "");
    expect((await sampler.sample()).gpuProblem).toBe("nvidia-smi shows no GPU any more");
  });

  test("of a tool that could not be started this time are a problem, and asked for again", async () => {
    let calls = 0;
    const read = gpuSampler("nvidia-smi", () =>
      ++calls === 1
        ? Promise.reject(new Error("spawn nvidia-smi EAGAIN"))
        : Promise.resolve({ output: H200 }),
    );
    expect(await read()).toEqual({ gpus: [], problem: "nvidia-smi failed: spawn nvidia-smi EAGAIN" });
    let readings = await read();
    for (let i = 0; i < 40 && readings.problem !== undefined; i++) readings = await read();
    expect(readings.gpus).toHaveLength(1);
    expect(calls).toBe(2);
  });

  test("of a tool that cannot even be killed are a problem; nobody waits for it, nor starts another", async () => {
    let calls = 0;
    // In the place of a process in uninterruptible sleep inside of the driver, which cannot be had at will.
    const stuck = Promise.withResolvers<{ output: string }>();
    const read = gpuSampler("nvidia-smi", () => {
      calls += 1;
      return stuck.promise;
    });
    for (let i = 0; i < 70; i++)
      expect(await read()).toEqual({ gpus: [], problem: "nvidia-smi did not answer within 3 s" });
    expect(calls).toBe(1);
    stuck.resolve({ output: H200 });
    await sleep(1);
    let readings = await read();
    for (let i = 0; i < 40 && readings.problem !== undefined; i++) readings = await read();
    expect(readings.gpus).toHaveLength(1);
  }, 30_000);

  test("with MIG have no values, and the sample says why", async () => {
    const smi = tool("mig", `echo '${H200}'\necho '${OTHER.replace(/\[N\/A\]$/, "Enabled")}'`);
    const sample = await createProcessSampler({ nvidiaSmi: smi.path }).sample();
    expect(sample.gpuProblem).toBe("MIG is not supported: GPU 1 is partitioned");
    expect(sample).not.toHaveProperty("gpus");
    expect(sample).not.toHaveProperty("gpuMemoryMb");
  });

  test("whose memory is not known have no sum", async () => {
    const smi = tool("no-memory", `echo '${H200}'\necho '${OTHER.replace("512", "[N/A]")}'`);
    const sample = await createProcessSampler({ nvidiaSmi: smi.path }).sample();
    expect(sample.gpus).toHaveLength(2);
    expect(sample).not.toHaveProperty("gpuMemoryMb");
  });

  test("are parsed from whole lines only", () => {
    for (const output of ["", "\n", "[N/A]\n", "12\n", "0, x, 1, 2\n", "x, y, 1, 2, 3, 4, 5, Disabled"])
      expect(parseGpus(output)).toEqual({ gpus: [] });
  });
});

test("the event loop's lag is what its timers were late, and begins anew with each sample", async () => {
  using sampler = createProcessSampler({ nvidiaSmi: NO_GPU });
  await sleep(50);
  const until = performance.now() + 300;
  while (performance.now() < until) Math.sqrt(until);
  await sleep(50);
  const busy = (await sampler.sample()).eventLoopLagMs as number;
  expect(busy).toBeGreaterThan(200);
  await sleep(50);
  expect((await sampler.sample()).eventLoopLagMs).toBeLessThan(busy);
});

test("one long block counts for every timer that was due in it, however quiet the rest was", async () => {
  using lag = measureEventLoopLag();
  await sleep(2500);
  const until = performance.now() + 400;
  while (performance.now() < until) Math.sqrt(until);
  await sleep(50);
  // The block is an eighth of the time: of a hundred timers, more than one was 300 ms late.
  expect(lag.take()).toBeGreaterThan(300);
});

describe("sources", () => {
  const PID = 4711;
  const V2 = {
    "proc/self/mountinfo": "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
    "proc/self/cgroup": "0::/\n",
    "sys/fs/cgroup/memory.max": String(2 ** 31),
    "sys/fs/cgroup/cpu.max": "150000 100000\n",
    "sys/fs/cgroup/memory.current": String(300 * 2 ** 20),
    "sys/fs/cgroup/memory.stat": `anon 1\nfile 2\ninactive_file ${44 * 2 ** 20}\nactive_file 3\n`,
  };
  const V1 = {
    "proc/self/mountinfo":
      "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
      "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
    "proc/self/cgroup": "4:memory:/docker/abc\n1:cpu,cpuacct:/docker/abc\n",
    "sys/fs/cgroup/cpu,cpuacct/docker/abc/cgroup.procs": `${PID}\n`,
    "sys/fs/cgroup/memory/docker/abc/cgroup.procs": `${PID}\n`,
    "sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes": `${200 * 2 ** 20}\n`,
    "sys/fs/cgroup/memory/docker/abc/memory.stat": `inactive_file 0\ntotal_inactive_file ${50 * 2 ** 20}\n`,
  };
  const HOST = {
    "proc/meminfo": "MemTotal:       65536000 kB\nMemFree:         1000 kB\nMemAvailable:   15536000 kB\n",
  };
  const family = {
    "proc/4711/stat": "4711 (node (x) y) S 1 1 1 0",
    "proc/1/stat": "1 (tini) S 0 1 1 0",
    "proc/4712/stat": "4712 (nvidia-smi) R 4711 1 1 0",
  };

  function machineOf(files: Record<string, string>): Machine {
    const root = mkdtempSync(join(folder, "machine-"));
    const machine = { root, cores: 8, bytes: 64 * 2 ** 30 };
    write(machine, files);
    return machine;
  }
  function write({ root }: Machine, files: Record<string, string>): void {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
  }
  /** Two samples a second apart, between which the files change. */
  async function sampled(
    files: Record<string, string>,
    changed: Record<string, string>,
    source: SampledSource = "auto",
  ) {
    const machine = machineOf(files);
    let seconds = 0;
    const sampler = createProcessSampler({
      source,
      machine,
      pid: PID,
      nvidiaSmi: NO_GPU,
      now: () => 1000 * seconds++,
      cpuTime: () => ({ user: seconds * 100_000, system: 0 }),
    });
    write(machine, changed);
    return await sampler.sample();
  }

  test("version 2 is taken where the group is this process's own, with its family", async () => {
    const files = {
      ...V2,
      ...family,
      "sys/fs/cgroup/cgroup.procs": "1\n4711\n4712\n",
      "sys/fs/cgroup/cpu.stat": "usage_usec 5000000\nuser_usec 1\n",
    };
    expect(
      await sampled(files, { "sys/fs/cgroup/cpu.stat": "usage_usec 5250000\nuser_usec 1\n" }),
    ).toMatchObject({
      cpuUsage: 25,
      cpuSource: "cgroup2",
      memoryUsageMb: 256,
      memorySource: "cgroup2",
      cpuLimit: 1.5,
      memoryLimitMb: 2048,
    });
  });

  test("a group with somebody else in it is not this process's own", async () => {
    const files = {
      ...V2,
      ...family,
      "proc/99/stat": "99 (postgres) S 1 1 1 0",
      "sys/fs/cgroup/cgroup.procs": "1\n99\n4711\n",
      "sys/fs/cgroup/cpu.stat": "usage_usec 5000000\n",
    };
    const sample = await sampled(files, {});
    expect(sample).toMatchObject({
      cpuUsage: 10,
      cpuSource: "process",
      memorySource: "process",
      cpuLimit: 1.5,
    });
    // Unless it is asked for.
    expect(await sampled(files, {}, "cgroup")).toMatchObject({ cpuUsage: 0, cpuSource: "cgroup2" });
  });

  test("version 1 counts nanoseconds, and what is above the group is not in it", async () => {
    const usage = "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpuacct.usage";
    expect(await sampled({ ...V1, [usage]: "1000000000\n" }, { [usage]: "3000000000\n" })).toMatchObject({
      cpuUsage: 200,
      cpuSource: "cgroup1",
      memoryUsageMb: 150,
      memorySource: "cgroup1",
      cpuLimit: 8,
      memoryLimitMb: 65_536,
    });
  });

  test("the host's is what is neither idle nor waiting, and not available", async () => {
    const files = { ...HOST, "proc/stat": "cpu  100 10 50 8000 500 5 5 30 20 0\ncpu0 1 1 1 1\n" };
    const changed = { "proc/stat": "cpu  160 20 90 9000 900 10 10 50 60 0\ncpu0 1 1 1 1\n" };
    expect(await sampled(files, changed, "host")).toMatchObject({
      cpuUsage: 140,
      cpuSource: "host",
      memoryUsageMb: 50_000_000 / 1024,
      memorySource: "host",
    });
  });

  test("the host's limits are the host's, whatever this process may use of it", async () => {
    const files = { ...V2, ...HOST, "proc/stat": "cpu  0 0 0 0\ncpu0 0\ncpu1 0\ncpu2 0\n" };
    expect(await sampled(files, {}, "host")).toMatchObject({ cpuLimit: 3, memoryLimitMb: 64_000 });
    expect(await sampled(files, {}, "process")).toMatchObject({ cpuLimit: 1.5, memoryLimitMb: 2048 });
  });

  test("each controller of version 1 has its own group: one may be this process's own, another everybody's", async () => {
    const cpu = "sys/fs/cgroup/cpu,cpuacct";
    const files = {
      ...V1,
      ...family,
      "proc/self/cgroup": "4:memory:/docker/abc\n1:cpu,cpuacct:/\n",
      [`${cpu}/cgroup.procs`]: `1\n99\n${PID}\n`,
      [`${cpu}/cpuacct.usage`]: "1000000000\n",
    };
    expect(await sampled(files, { [`${cpu}/cpuacct.usage`]: "9000000000\n" })).toMatchObject({
      cpuUsage: 10,
      cpuSource: "process",
      memorySource: "cgroup1",
    });
  });

  test("where a source has no value it is the process's own, and says so", async () => {
    for (const source of ["cgroup", "host", "auto"] as const)
      expect(await sampled({}, {}, source)).toMatchObject({ cpuSource: "process", memorySource: "process" });
  });

  test("a counter that begins anew leaves out one value", async () => {
    const files = {
      ...V2,
      "sys/fs/cgroup/cgroup.procs": "4711\n",
      "sys/fs/cgroup/cpu.stat": "usage_usec 5000000\n",
    };
    expect(await sampled(files, { "sys/fs/cgroup/cpu.stat": "usage_usec 10\n" })).not.toHaveProperty(
      "cpuUsage",
    );
  });
});
