import { statfs } from "node:fs/promises";
import { thisMachine, type Machine } from "./cgroups.ts";
import { measureEventLoopLag, type EventLoopLag } from "./event-loop-lag.ts";
import { gpuSampler, type GpuReading } from "./gpu-sampler.ts";
import { withinTime } from "./within-time.ts";
import { cpuLimit, memoryLimit } from "./resource-limits.ts";
import {
  cgroupCpuTime,
  cgroupMemory,
  hostCpuTime,
  hostMemory,
  hostSize,
  ownsCgroup,
  type CpuTime,
  type MemoryUse,
  type UsageSource,
} from "./resource-usage.ts";

const MIB = 2 ** 20;

/** What this process used at one moment. A value that could not be had is absent, never zero instead. */
export interface ProcessSample {
  sampledAt: Date;
  /** CPU use since the sample before (since the sampler was made, for the first), in percent of one core. */
  cpuUsage?: number;
  /** Of cpuUsage. */
  cpuSource?: UsageSource;
  /** In MiB: resident memory of the process; of a control group or the machine, what is in use and cannot be dropped. */
  memoryUsageMb: number;
  /** Of memoryUsageMb. */
  memorySource?: UsageSource;
  /** Cores that this process may use, and MiB of memory: of its control group, or the machine's. */
  cpuLimit?: number;
  memoryLimitMb?: number;
  /** Used space of the file system that holds the working directory, in MiB, and its size. */
  diskUsageMb?: number;
  diskTotalMb?: number;
  /** 99th percentile of how late the event loop was since the sample before, in milliseconds. */
  eventLoopLagMs?: number;
  /** Memory in use on all GPUs that the driver shows, by whatever process, in MiB. */
  gpuMemoryMb?: number;
  gpus?: GpuReading[];
  /** Why there are no values of GPUs although there are some. */
  gpuProblem?: string;
}

export interface ProcessSampler {
  /** Reads the counters; nothing of it waits on the event loop's thread. Never rejects. */
  sample(): Promise<ProcessSample>;
}

/** Whose CPU time and memory: "auto" is the control group where this process has one to itself, and else the process. */
export type SampledSource = "auto" | "process" | "cgroup" | "host";

export interface SamplerOptions {
  /** Where a source has no value, that of the process is given; samples say which. Default "auto". */
  source?: SampledSource;
  /** Any folder of the file system to measure; by default the working directory at this moment. */
  folder?: string;
  /** Command or path of the NVIDIA driver's tool. */
  nvidiaSmi?: string;
  // What follows is what tests put in the place of this process.
  /** User and system time of this process in microseconds, ever growing. */
  cpuTime?: () => { user: number; system: number };
  /** Milliseconds of a clock that never goes back. */
  now?: () => number;
  machine?: Machine;
  pid?: number;
  eventLoopLag?: EventLoopLag;
}

/** Disposing of it ends the measuring of the event loop. */
export function createProcessSampler(options: SamplerOptions = {}): ProcessSampler & Disposable {
  const {
    source: wanted = "auto",
    folder = process.cwd(),
    nvidiaSmi = "nvidia-smi",
    cpuTime = () => process.cpuUsage(),
    now = () => performance.now(),
    machine = thisMachine(),
    pid = process.pid,
    eventLoopLag = measureEventLoopLag(),
  } = options;
  // Found out once: a shell that somebody opens in a container does not make its values another series.
  const whose = (controller: "cpuacct" | "memory"): Exclude<SampledSource, "auto"> => {
    if (wanted !== "auto") return wanted;
    return ownsCgroup(machine, pid, controller) ? "cgroup" : "process";
  };
  const [cpuSource, memorySource] = [whose("cpuacct"), whose("memory")];
  const cpuUsage = cpuMeter(() => {
    const { user, system } = cpuTime();
    const own: CpuTime = { micros: user + system, source: "process" };
    if (cpuSource === "process") return own;
    return (cpuSource === "cgroup" ? cgroupCpuTime(machine) : hostCpuTime(machine)) ?? own;
  }, now);
  const memory = (): MemoryUse => {
    const own = (): MemoryUse => ({ bytes: process.memoryUsage.rss(), source: "process" });
    if (memorySource === "process") return own();
    return (memorySource === "cgroup" ? cgroupMemory(machine) : hostMemory(machine)) ?? own();
  };
  const readDisk = diskMeter(() => statfs(folder));
  const readGpus = gpuSampler(nvidiaSmi);
  return {
    async sample() {
      const sampledAt = new Date();
      const cpu = cpuUsage();
      const memoryUse = memory();
      // What the whole machine uses is not held to the limits of this process.
      const size = hostSize(machine);
      const values = {
        sampledAt,
        ...cpu,
        memoryUsageMb: memoryUse.bytes / MIB,
        memorySource: memoryUse.source,
        cpuLimit: (cpu?.cpuSource === "host" && size?.cores) || cpuLimit(machine).cores,
        memoryLimitMb: ((memoryUse.source === "host" && size?.bytes) || memoryLimit(machine).bytes) / MIB,
      };
      const lag = eventLoopLag.take();
      const [disk, { gpus, problem }] = await Promise.all([readDisk(), readGpus()]);
      const gpuMemoryMb = sumOf(gpus.map(({ memoryUsedMb }) => memoryUsedMb));
      return {
        ...values,
        ...disk,
        ...(lag === undefined ? {} : { eventLoopLagMs: lag }),
        ...(gpus.length === 0 ? {} : { gpus }),
        ...(gpuMemoryMb === undefined ? {} : { gpuMemoryMb }),
        ...(problem === undefined ? {} : { gpuProblem: problem }),
      };
    },
    [Symbol.dispose]() {
      eventLoopLag[Symbol.dispose]();
    },
  };
}

/** Percent of one core between two calls; nothing when no time has passed between them, or the source has changed. */
function cpuMeter(
  cpuTime: () => CpuTime,
  now: () => number,
): () => { cpuUsage: number; cpuSource: UsageSource } | undefined {
  const read = () => ({ at: now(), cpu: cpuTime() });
  let before = read();
  return () => {
    const current = read();
    const elapsedUs = (current.at - before.at) * 1000;
    if (elapsedUs <= 0) return undefined;
    const { cpu: earlier } = before;
    before = current;
    const usedUs = current.cpu.micros - earlier.micros;
    // A control group's counter begins anew when the container is restarted around us.
    if (earlier.source !== current.cpu.source || usedUs < 0) return undefined;
    return { cpuUsage: (100 * usedUs) / elapsedUs, cpuSource: current.cpu.source };
  };
}

/** A file system that does not answer for so long, such as an NFS whose server is away, has no value. */
const DISK_TIMEOUT_MS = 1000;

interface DiskUse {
  diskUsageMb: number;
  diskTotalMb: number;
}

/** Nothing where the folder was removed, or its file system does not answer; that is asked again only when it has answered after all. */
export function diskMeter(
  read: () => Promise<{ blocks: number; bfree: number; bsize: number }>,
): () => Promise<DiskUse | undefined> {
  let asking: Promise<DiskUse | undefined> | undefined;
  const ask = async (): Promise<DiskUse | undefined> => {
    try {
      const { blocks, bfree, bsize } = await read();
      return { diskUsageMb: ((blocks - bfree) * bsize) / MIB, diskTotalMb: (blocks * bsize) / MIB };
    } catch {
      return undefined;
    } finally {
      asking = undefined;
    }
  };
  return async () => {
    // Each would take one of the few threads for such work, for as long as it hangs.
    if (asking !== undefined) return undefined;
    asking = ask();
    return await withinTime(asking, DISK_TIMEOUT_MS, undefined);
  };
}

/** Undefined for none, and when one is not known: a part of the sum would look like the whole. */
function sumOf(values: readonly (number | undefined)[]): number | undefined {
  if (values.length === 0) return undefined;
  return values.reduce<number | undefined>(
    (sum, value) => (sum === undefined || value === undefined ? undefined : sum + value),
    0,
  );
}
