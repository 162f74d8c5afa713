import { execFile } from "node:child_process";
import { messageOf } from "@kindred/errors";
import { withinTime } from "./within-time.ts";

/** One GPU. What the driver does not know is absent. */
export interface GpuReading {
  /** As the driver numbers it. */
  index: number;
  name: string;
  /** In MiB, as the next. */
  memoryUsedMb?: number;
  memoryTotalMb?: number;
  /** Share of the time in which it computed, in percent. */
  utilization?: number;
  /** In degrees Celsius. */
  temperature?: number;
  /** In watts. */
  power?: number;
}

/** What the driver says; nothing at all where there is no GPU. */
export interface GpuReadings {
  gpus: GpuReading[];
  /** Why there are no values although there are GPUs. */
  problem?: string;
}

const NONE: GpuReadings = { gpus: [] };
/** nvidia-smi hangs when the driver does; it is killed then. */
const TIMEOUT_MS = 3000;
/** Inside of a driver that hangs, it cannot be killed either. */
const KILLED_WITHIN_MS = 1000;
const HANGS = `nvidia-smi did not answer within ${TIMEOUT_MS / 1000} s`;
/** A tool that failed is asked again after so many calls: it may have been installed for a machine of another kind. */
const RETRY_AFTER = 30;
const MAX_PROBLEM = 300;

const FIELDS = [
  "index",
  "name",
  "memory.used",
  "memory.total",
  "utilization.gpu",
  "temperature.gpu",
  "power.draw",
  "mig.mode.current",
] as const;

type Outcome = { output: string } | { problem: string } | "absent";
/** Runs the tool of that name or path, and kills it when it takes too long. Rejects when it cannot be started. */
type RunTool = (nvidiaSmi: string) => Promise<Outcome>;

/**
 * Asks the NVIDIA driver's tool. Where there is none, or never was a GPU, it is looked for once only. Never rejects, and does not wait for a tool
 * that cannot even be killed: no other is started beside it.
 */
export function gpuSampler(nvidiaSmi: string, runTool: RunTool = runNvidiaSmi): () => Promise<GpuReadings> {
  let absent = false;
  let seen = false;
  let failed: { problem: string; calls: number } | undefined;
  let running = false;
  const query = async (): Promise<Outcome> => {
    if (running) return { problem: HANGS };
    running = true;
    const asked = runTool(nvidiaSmi)
      .catch((error: unknown) => ({ problem: problemIn(messageOf(error)) }))
      .finally(() => {
        running = false;
      });
    return await withinTime(asked, TIMEOUT_MS + KILLED_WITHIN_MS, { problem: HANGS });
  };
  return async () => {
    if (absent) return NONE;
    if (failed && ++failed.calls < RETRY_AFTER) return { gpus: [], problem: failed.problem };
    let outcome = await query();
    // A GPU that has fallen off the bus is no device any more, and yet no machine without GPU.
    if (outcome === "absent" && seen) outcome = { problem: "nvidia-smi shows no GPU any more" };
    failed = undefined;
    if (outcome === "absent") {
      absent = true;
      return NONE;
    }
    if ("output" in outcome) {
      const readings = parseGpus(outcome.output);
      seen ||= readings.gpus.length > 0 || readings.problem !== undefined;
      return readings;
    }
    failed = { problem: outcome.problem, calls: 0 };
    return { gpus: [], problem: outcome.problem };
  };
}

/** Codes of a tool that is not there; with others, such as EAGAIN, it could not be started this time. */
const NOT_THERE = new Set(["ENOENT", "ENOTDIR", "EACCES"]);

function runNvidiaSmi(nvidiaSmi: string): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    execFile(
      nvidiaSmi,
      [`--query-gpu=${FIELDS.join(",")}`, "--format=csv,noheader,nounits"],
      { timeout: TIMEOUT_MS, killSignal: "SIGKILL", windowsHide: true },
      (error, stdout, stderr) => {
        if (!error) resolve({ output: stdout });
        else if (typeof error.code === "string") {
          if (NOT_THERE.has(error.code)) resolve("absent");
          else reject(error);
        } else if (error.killed) resolve({ problem: HANGS });
        else if (stdout.includes("No devices were found")) resolve("absent");
        else resolve({ problem: problemIn(`${stdout}\n${stderr}`) });
      },
    );
  });
}

function problemIn(text: string): string {
  const line = text
    .split("\n")
    .map((each) => each.trim())
    .find(Boolean);
  return `nvidia-smi failed${line === undefined ? "" : `: ${line.slice(0, MAX_PROBLEM)}`}`;
}

/**
 * One GPU a line, in the order of FIELDS; "[N/A]", "[Not Supported]" and the like are no values. With MIG a GPU is several, whose figures this query does
 * not have: then none is given, rather than those of a part of the machine.
 */
export function parseGpus(output: string): GpuReadings {
  const gpus: GpuReading[] = [];
  const partitioned: number[] = [];
  for (const line of output.split("\n")) {
    const cells = line.split(",").map((cell) => cell.trim());
    const index = numberIn(cells[0]);
    if (cells.length !== FIELDS.length || index === undefined) continue;
    if (cells[7] === "Enabled") partitioned.push(index);
    const readings = { memoryUsedMb: cells[2], memoryTotalMb: cells[3], utilization: cells[4] };
    gpus.push({
      index,
      name: cells[1] as string,
      ...numbersOf({ ...readings, temperature: cells[5], power: cells[6] }),
    });
  }
  if (partitioned.length === 0) return { gpus };
  const which = partitioned.length === 1 ? `GPU ${partitioned[0]} is` : `GPUs ${partitioned.join(", ")} are`;
  return { gpus: [], problem: `MIG is not supported: ${which} partitioned` };
}

/** Those of them that are numbers. */
function numbersOf<K extends string>(texts: Record<K, string | undefined>): Partial<Record<K, number>> {
  const found: Partial<Record<K, number>> = {};
  for (const [name, text] of Object.entries<string | undefined>(texts)) {
    const value = numberIn(text);
    if (value !== undefined) found[name as K] = value;
  }
  return found;
}

function numberIn(text: string | undefined): number | undefined {
  return text !== undefined && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}
