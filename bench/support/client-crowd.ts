import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** What a process full of clients is given. */
export interface CrowdSetup {
  readonly address: string;
  /** Each with a connection of its own. */
  readonly clients: number;
  readonly seconds: number;
  readonly seed: number;
  readonly texts: readonly string[];
  /** File of the texts' right vectors: float32 of this machine, row after row. */
  readonly references: string;
  readonly dimensions: number;
}

export interface CrowdReport {
  /** Calls that were answered, and the texts and cached texts in them. */
  readonly calls: number;
  readonly texts: number;
  readonly cachedTexts: number;
  /** Vectors that are not those of their texts, and the worst cosine that was seen. */
  readonly wrong: number;
  readonly worstCosine: number;
  /** Milliseconds of each answered call, waiting after refusals not included. */
  readonly latencies: readonly number[];
  /** Milliseconds until each RESOURCE_EXHAUSTED. */
  readonly refusals: readonly number[];
  /** Delays that refused clients were told to wait, in milliseconds. */
  readonly delays: readonly number[];
  /** Refusals without a delay. */
  readonly withoutDelay: number;
  /** Every other error, by what it said. */
  readonly errors: Readonly<Record<string, number>>;
  /** Share of the time in which the clients' event loop was busy. */
  readonly loopUtilization: number;
  /** Cores that the clients used. */
  readonly cores: number;
  /** From the first call to the last answer. */
  readonly seconds: number;
}

/** Runs the clients in so many processes and waits for their reports. */
export async function runCrowd(setup: CrowdSetup, processes: number, folder: string): Promise<CrowdReport[]> {
  return await Promise.all(
    Array.from({ length: processes }, async (_, i) => {
      const path = join(folder, `crowd-${i}.json`);
      const clients = Math.floor((setup.clients + i) / processes);
      await writeFile(path, JSON.stringify({ ...setup, clients, seed: setup.seed + i } satisfies CrowdSetup));
      const script = fileURLToPath(new URL("./client-process.ts", import.meta.url));
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ["--disable-warning=ExperimentalWarning", script, path],
        { maxBuffer: 2 ** 28 },
      );
      return JSON.parse(stdout) as CrowdReport;
    }),
  );
}

/** All of the clients together. The loop's utilisation is the highest of any process. */
export function mergeReports(reports: readonly CrowdReport[]): CrowdReport {
  const sum = (of: (report: CrowdReport) => number) =>
    reports.reduce((total, report) => total + of(report), 0);
  const errors: Record<string, number> = {};
  for (const report of reports) {
    for (const [message, count] of Object.entries(report.errors)) {
      errors[message] = (errors[message] ?? 0) + count;
    }
  }
  return {
    calls: sum((report) => report.calls),
    texts: sum((report) => report.texts),
    cachedTexts: sum((report) => report.cachedTexts),
    wrong: sum((report) => report.wrong),
    worstCosine: Math.min(...reports.map((report) => report.worstCosine)),
    latencies: reports.flatMap((report) => report.latencies),
    refusals: reports.flatMap((report) => report.refusals),
    delays: reports.flatMap((report) => report.delays),
    withoutDelay: sum((report) => report.withoutDelay),
    errors,
    loopUtilization: Math.max(...reports.map((report) => report.loopUtilization)),
    cores: sum((report) => report.cores),
    seconds: Math.max(...reports.map((report) => report.seconds)),
  };
}
