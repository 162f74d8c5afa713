/** What one process used at one moment. A value that could not be had is undefined, never zero instead. */
export interface Sample {
  /** Empty in rows that were written by hand without one. */
  component: string;
  /** Microseconds since 1970, which is what PostgreSQL keeps. */
  timestampMicros: bigint;
  /** Percent of one core. */
  cpuUsage: number | undefined;
  /** In MiB, as the two below. */
  memoryUsageMb: number | undefined;
  diskUsageMb: number | undefined;
  gpuMemoryMb: number | undefined;
  activeConnections: number | undefined;
}

/** A sample that is to be stored; without a time it is of the moment of storing. */
export type NewSample = Omit<Sample, "timestampMicros"> & { timestampMicros: bigint | undefined };

export interface HistoryQuery {
  /** How far back from now. */
  hours: number;
  /** Every component when undefined. */
  component: string | undefined;
  limit: number;
}

/** Where samples are kept. Errors are KindredErrors. */
export interface SampleStore {
  /** Stores samples, all or none. One that is there already, with its time and every value, is not stored again. */
  insert(samples: readonly NewSample[]): Promise<void>;
  /** The newest `limit` samples of the period, newest first; those of one moment by descending id. */
  newest(query: HistoryQuery): Promise<Sample[]>;
  /**
   * Deletes at most `limit` samples that are older than that, oldest first. Several processes may do so at once: none waits for another.
   * @returns how many
   */
  deleteOlderThan(ageMs: number, limit: number): Promise<number>;
}
