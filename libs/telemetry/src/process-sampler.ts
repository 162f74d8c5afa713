import { execFile } from "node:child_process";
import { statfs } from "node:fs/promises";

const MIB = 2 ** 20;
/** nvidia-smi hangs when the driver does; it is killed then. */
const GPU_QUERY_TIMEOUT_MS = 3000;

/** What this process used at one moment. A value that could not be had is absent, never zero instead. */
export interface ProcessSample {
  sampledAt: Date;
  /** CPU use since the sample before (since the sampler was made, for the first), in percent of one core. */
  cpuUsage?: number;
  /** Resident memory of the process, in MiB. */
  memoryUsageMb: number;
  /** Used space of the file system that holds the working directory, in MiB. */
  diskUsageMb?: number;
  /** Memory in use on all GPUs that the driver shows, by whatever process, in MiB. */
  gpuMemoryMb?: number;
}

export interface ProcessSampler {
  /** Reads the counters; nothing of it waits on the event loop's thread. Never rejects. */
  sample(): Promise<ProcessSample>;
}

/** What tests put in the place of this process. */
export interface SamplerOptions {
  /** Any folder of the file system to measure; by default the working directory at this moment. */
  folder?: string;
  /** Command or path of the NVIDIA driver's tool. */
  nvidiaSmi?: string;
  /** User and system time of this process in microseconds, ever growing. */
  cpuTime?: () => { user: number; system: number };
  /** Milliseconds of a clock that never goes back. */
  now?: () => number;
}

export function createProcessSampler(options: SamplerOptions = {}): ProcessSampler {
  const {
    folder = process.cwd(),
    nvidiaSmi = "nvidia-smi",
    cpuTime = () => process.cpuUsage(),
    now = () => performance.now(),
  } = options;
  const cpuUsage = cpuMeter(cpuTime, now);
  const gpuMemoryMb = gpuMeter(nvidiaSmi);
  return {
    async sample() {
      const sampledAt = new Date();
      const cpu = cpuUsage();
      const memoryUsageMb = process.memoryUsage.rss() / MIB;
      const [disk, gpu] = await Promise.all([diskUsageMb(folder), gpuMemoryMb()]);
      return {
        sampledAt,
        memoryUsageMb,
        ...(cpu === undefined ? {} : { cpuUsage: cpu }),
        ...(disk === undefined ? {} : { diskUsageMb: disk }),
        ...(gpu === undefined ? {} : { gpuMemoryMb: gpu }),
      };
    },
  };
}

/** Percent of one core between two calls; undefined when no time has passed between them. */
function cpuMeter(
  cpuTime: () => { user: number; system: number },
  now: () => number,
): () => number | undefined {
  const read = () => ({ at: now(), cpu: cpuTime() });
  let before = read();
  return () => {
    const current = read();
    const elapsedUs = (current.at - before.at) * 1000;
    if (elapsedUs <= 0) return undefined;
    const usedUs = current.cpu.user - before.cpu.user + (current.cpu.system - before.cpu.system);
    before = current;
    return (100 * usedUs) / elapsedUs;
  };
}

async function diskUsageMb(folder: string): Promise<number | undefined> {
  try {
    const { blocks, bfree, bsize } = await statfs(folder);
    return ((blocks - bfree) * bsize) / MIB;
  } catch {
    // The folder was removed, or its file system does not answer: there is no value to give.
    return undefined;
  }
}

/**
 * Whether there is a GPU is found out at the first call: where nvidia-smi does not answer then, it is not started
 * again. Later failures leave out the one value.
 */
function gpuMeter(nvidiaSmi: string): () => Promise<number | undefined> {
  let state: "unknown" | "present" | "absent" = "unknown";
  return async () => {
    if (state === "absent") return undefined;
    const used = parseGpuMemory(await runGpuQuery(nvidiaSmi));
    if (state === "unknown") state = used === undefined ? "absent" : "present";
    return used;
  };
}

/** The tool's output; empty when it is not there, fails or hangs. */
function runGpuQuery(nvidiaSmi: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(
      nvidiaSmi,
      ["--query-gpu=memory.used", "--format=csv,noheader,nounits"],
      { timeout: GPU_QUERY_TIMEOUT_MS, killSignal: "SIGKILL", windowsHide: true },
      (error, stdout) => resolve(error ? "" : stdout),
    );
  });
}

/** Sum of the lines, one a GPU, in MiB; undefined when there is none, or one is no number ("[N/A]"). */
export function parseGpuMemory(output: string): number | undefined {
  const lines = output
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
  if (lines.length === 0 || !lines.every((line) => /^\d+(\.\d+)?$/.test(line))) return undefined;
  return lines.reduce((sum, line) => sum + Number(line), 0);
}
