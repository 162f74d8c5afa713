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
  /** Whether its path was there when somebody looked the last time; undefined before the first time. */
  present: boolean | undefined;
  /** When that was. */
  verifiedAtMicros: bigint | undefined;
}

/** A model that somebody puts into a cache. */
export interface RegisteredModel {
  modelType: string;
  modelName: string;
  cachePath: string;
  /** undefined when it is not known: a size that is there stays. */
  sizeBytes: bigint | undefined;
}

/** What is at the path of an entry. */
export interface PathFinding {
  id: bigint;
  present: boolean;
  /** undefined when it is not known: a size that is there stays. */
  sizeBytes: bigint | undefined;
}

/** Where the account of the caches is kept. Errors are KindredErrors. */
export interface ModelCacheStore {
  /** Adds the events up, those of one model in their order; all of them or none. */
  add(events: readonly ModelCacheEvent[]): Promise<void>;
  /** The latest used first; those that never were last. */
  list(): Promise<ModelCacheEntry[]>;
  /**
   * Makes an entry that was not used yet, or gives the one with the same type, name and path its size; that it is missing is not taken for
   * true any more.
   */
  register(model: RegisteredModel): Promise<{ entry: ModelCacheEntry; existing: boolean }>;
  /** Counts uses, of this moment. Concurrent ones all count. @returns undefined when there is no such entry */
  touch(id: bigint, accesses: number): Promise<ModelCacheEntry | undefined>;
  /** @returns how many of them were there */
  remove(ids: readonly bigint[]): Promise<number>;
  /** Takes findings about different entries, of this moment. @returns how many of the entries were there */
  reportPaths(findings: readonly PathFinding[]): Promise<number>;
}
