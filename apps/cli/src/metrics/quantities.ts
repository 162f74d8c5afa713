import { MetricName, MetricSource, Resolution, type MetricSample } from "@kindred/contracts/metrics/v1";
import { formatCount, formatMib, formatMs } from "../terminal/format.ts";

interface Described {
  /** As options and tables name it. */
  name: string;
  /** Where there is little room. */
  short?: string;
  /** Characters that values have as a rule. */
  width: number;
  metric: MetricName;
  of: (sample: MetricSample) => number | undefined;
  show: (value: number) => string;
}

/** What is measured, in the order of the contract. */
export const QUANTITIES: readonly Described[] = [
  {
    name: "cpu",
    width: 6,
    metric: MetricName.CPU_USAGE,
    of: (sample) => sample.cpuUsage,
    // Of one core: what top shows.
    show: (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} %`,
  },
  {
    name: "memory",
    short: "mem",
    width: 9,
    metric: MetricName.MEMORY_USAGE,
    of: (sample) => sample.memoryUsageMb,
    show: formatMib,
  },
  {
    name: "disk",
    width: 9,
    metric: MetricName.DISK_USAGE,
    of: (sample) => sample.diskUsageMb,
    show: formatMib,
  },
  {
    name: "gpu",
    width: 9,
    metric: MetricName.GPU_MEMORY,
    of: (sample) => sample.gpuMemoryMb,
    show: formatMib,
  },
  {
    name: "connections",
    short: "conn",
    width: 3,
    metric: MetricName.ACTIVE_CONNECTIONS,
    of: (sample) => sample.activeConnections,
    show: (value) => formatCount(Number(value.toFixed(1))),
  },
  {
    name: "lag",
    width: 6,
    metric: MetricName.EVENT_LOOP_LAG,
    of: (sample) => sample.eventLoopLagMs,
    show: formatMs,
  },
];

export const QUANTITY_NAMES = QUANTITIES.map(({ name }) => name);

/** Undefined for one that a later version of the contract may have added. */
export function quantityOf(metric: MetricName): Described | undefined {
  return QUANTITIES.find((each) => each.metric === metric);
}

export const RESOLUTIONS = {
  auto: Resolution.UNSPECIFIED,
  raw: Resolution.RAW,
  minute: Resolution.MINUTE,
  hour: Resolution.HOUR,
} as const;

export type ResolutionName = keyof typeof RESOLUTIONS;

export function resolutionName(resolution: Resolution): string {
  if (resolution === Resolution.RAW) return "every sample";
  return resolution === Resolution.MINUTE ? "minutes" : "hours";
}

const SOURCES: Readonly<Record<MetricSource, string>> = {
  [MetricSource.UNSPECIFIED]: "",
  [MetricSource.PROCESS]: "process",
  [MetricSource.CGROUP2]: "cgroup 2",
  [MetricSource.CGROUP1]: "cgroup 1",
  [MetricSource.HOST]: "host",
};

export function sourceName(source: MetricSource): string {
  return SOURCES[source] ?? "";
}

/** "1.5 GiB of 2.0 GiB": what is used, and what may be. */
export function withLimit(used: string, limit: string | undefined): string {
  return limit === undefined ? used : `${used} of ${limit}`;
}
