import { chmodSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createProcessSampler } from "./index.ts";
import { parseGpuMemory } from "./process-sampler.ts";

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

describe("GPU memory", () => {
  test("is the sum over the GPUs", async () => {
    const smi = tool("two-gpus", "echo 1024\necho 512");
    const sampler = createProcessSampler({ nvidiaSmi: smi.path });
    expect((await sampler.sample()).gpuMemoryMb).toBe(1536);
    expect((await sampler.sample()).gpuMemoryMb).toBe(1536);
    expect(smi.calls()).toBe(2);
  });

  test.each([
    ["fails", "echo 17; exit 9"],
    ["knows no value", "echo '[N/A]'"],
  ])("is absent where the tool %s, which is asked once only", async (name, script) => {
    const smi = tool(name.replaceAll(" ", "-"), script);
    const sampler = createProcessSampler({ nvidiaSmi: smi.path });
    for (let i = 0; i < 3; i++) expect(await sampler.sample()).not.toHaveProperty("gpuMemoryMb");
    expect(smi.calls()).toBe(1);
  });

  test("is absent where there is no tool", async () => {
    expect(await createProcessSampler({ nvidiaSmi: NO_GPU }).sample()).not.toHaveProperty("gpuMemoryMb");
  });

  test("a failure after an answer leaves out one value; the GPU is still there", async () => {
    const smi = tool("flaky", `[ -e '${join(folder, "broken")}' ] && exit 1\necho 7`);
    const sampler = createProcessSampler({ nvidiaSmi: smi.path });
    expect((await sampler.sample()).gpuMemoryMb).toBe(7);
    writeFileSync(join(folder, "broken"), "");
    expect(await sampler.sample()).not.toHaveProperty("gpuMemoryMb");
    rmSync(join(folder, "broken"));
    expect((await sampler.sample()).gpuMemoryMb).toBe(7);
  });

  test("parses only what is a number in every line", () => {
    expect(parseGpuMemory("0\n")).toBe(0);
    expect(parseGpuMemory(" 3 \n 4.5\n")).toBe(7.5);
    for (const output of ["", "\n", "[N/A]\n", "12\n[N/A]\n", "No devices were found\n"]) {
      expect(parseGpuMemory(output)).toBeUndefined();
    }
  });
});
