import { readFileSync } from "node:fs";
import { median, theilSen, type Slope } from "../statistics.ts";

/** Memory of a process, in bytes. */
export interface ResidentMemory {
  readonly rss: number;
  /** Without what is mapped from files, such as the model's weights; undefined where the system does not tell. */
  readonly rssAnon: number | undefined;
}

/** VmRSS and RssAnon of /proc; see proc_pid_status(5). */
export function residentMemory(pid: number): ResidentMemory {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string): number | undefined => {
    const kib = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  };
  const rss = field("VmRSS");
  if (rss === undefined) throw new Error(`/proc/${pid}/status has no VmRSS`);
  return { rss, rssAnon: field("RssAnon") };
}

export interface Trend extends Slope {
  /** Median of the windows. */
  readonly level: number;
  /** Fitted growth from the first to the last window, as a share of the level. */
  readonly growth: number;
}

const WINDOWS = 60;

/**
 * Fits a line to the samples, in units a second. They are put into 60 windows first: of each the median, or the lowest value for
 * what garbage collection makes a saw-tooth of.
 * @param samples at least three, in the order of time.
 */
export function trendOf(samples: readonly { at: number; value: number }[], take: "median" | "lowest"): Trend {
  const size = Math.max(1, Math.floor(samples.length / WINDOWS));
  const windows = Array.from({ length: Math.floor(samples.length / size) }, (_, i) =>
    samples.slice(i * size, (i + 1) * size),
  );
  const points = windows.map((window) => {
    const values = window.map(({ value }) => value);
    const at = median(window.map((sample) => sample.at / 1000));
    return [at, take === "median" ? median(values) : Math.min(...values)] as const;
  });
  const fit = theilSen(points);
  const level = median(points.map(([, value]) => value));
  const span = (points.at(-1)?.[0] ?? 0) - (points[0]?.[0] ?? 0);
  return { ...fit, level, growth: (fit.slope * span) / level };
}
