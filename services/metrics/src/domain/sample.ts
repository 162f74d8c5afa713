/** What is measured, each with its unit: percent of one core, MiB, a number, milliseconds. Names are those of the columns. */
export const QUANTITIES = {
  cpuUsage: "cpu_usage",
  memoryUsageMb: "memory_usage_mb",
  diskUsageMb: "disk_usage_mb",
  gpuMemoryMb: "gpu_memory_mb",
  activeConnections: "active_connections",
  eventLoopLagMs: "event_loop_lag_ms",
} as const;

export type Quantity = keyof typeof QUANTITIES;

export const ALL_QUANTITIES = Object.keys(QUANTITIES) as readonly Quantity[];

/** Where values are from: the process itself, its control group of version 2 or 1, the whole machine. */
export const METRIC_SOURCES = ["process", "cgroup2", "cgroup1", "host"] as const;

export type MetricSource = (typeof METRIC_SOURCES)[number];

/** One GPU. What the driver does not know is undefined. */
export interface Gpu {
  index: number;
  name: string;
  /** In MiB, as the next. */
  memoryUsedMb: number | undefined;
  memoryTotalMb: number | undefined;
  /** In percent of the time. */
  utilization: number | undefined;
  /** In degrees Celsius. */
  temperature: number | undefined;
  /** In watts. */
  power: number | undefined;
}

/** What one process used at one moment. A value that could not be had is undefined, never zero instead. */
export interface Sample extends Readonly<Record<Quantity, number | undefined>> {
  /** Empty in rows that were written by hand without one. */
  readonly component: string;
  /** Which process of the component; empty where nobody said. */
  readonly instance: string;
  /** Microseconds since 1970, which is what PostgreSQL keeps. */
  readonly timestampMicros: bigint;
  readonly cpuSource: MetricSource | undefined;
  readonly memorySource: MetricSource | undefined;
  /** In cores. */
  readonly cpuLimit: number | undefined;
  /** In MiB, as the next. */
  readonly memoryLimitMb: number | undefined;
  readonly diskTotalMb: number | undefined;
  readonly gpus: readonly Gpu[];
  /** Why there are no values of GPUs; empty otherwise. */
  readonly gpuProblem: string;
}

/** A sample that is to be stored; without a time it is of the moment of storing. */
export type NewSample = Omit<Sample, "timestampMicros"> & { timestampMicros: bigint | undefined };

/** A sample that is stored. */
export interface StoredSample extends Sample {
  /** Growing with the order in which samples came, nearly: of two that came at the same moment, either may be the first. */
  readonly id: bigint;
}

export interface HistoryQuery {
  /** How far back from now. */
  hours: number;
  /** Every component when undefined. */
  component: string | undefined;
  limit: number;
}

/** Where samples are kept. Errors are KindredErrors. */
export interface SampleStore {
  /**
   * Stores samples, all or none. One that is there already, with its time and every value, is not stored again.
   * @returns how many were stored
   */
  insert(samples: readonly NewSample[]): Promise<number>;
  /** The newest `limit` samples of the period, newest first; those of one moment by descending id. */
  newest(query: HistoryQuery): Promise<StoredSample[]>;
}
