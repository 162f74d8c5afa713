/** What has become of one model in a cache since the event before. */
export interface ModelCacheEvent {
  modelType: string;
  modelName: string;
  cachePath: string;
  /** On disk; undefined when it is not known. */
  sizeBytes: bigint | undefined;
  /** Microseconds since 1970; undefined for the time of arrival. */
  lastAccessedMicros: bigint | undefined;
  /** Uses since the event before. */
  accesses: number;
}

/** A model in a cache as it is stored; type, name and path together are its key. */
export interface ModelCacheEntry {
  id: bigint;
  modelType: string;
  modelName: string;
  cachePath: string;
  /** In MiB. */
  sizeMb: number | undefined;
  lastAccessedMicros: bigint | undefined;
  accessCount: bigint;
  createdAtMicros: bigint;
}

/** Where the account of the caches is kept. Errors are KindredErrors. */
export interface ModelCacheStore {
  /** Adds the events up, those of one model in their order; all of them or none. */
  add(events: readonly ModelCacheEvent[]): Promise<void>;
  /** The latest used first; those that never were last. */
  list(): Promise<ModelCacheEntry[]>;
}
