/** Of all records of a cache. */
export interface CacheShape {
  /** Id of the embedding space that the vectors live in. */
  spaceId: string;
  dimensions: number;
}

/** Records of one block, as they were appended: vector i is `vectors.subarray(i * dimensions, (i + 1) * dimensions)`. */
export interface CachedBlock {
  ids: BigInt64Array;
  vectors: Float32Array;
  /** Where the next block begins; blocks behind it are read by `blocks({ after })`. */
  position: CachePosition;
}

/** A place between two blocks. */
export interface CachePosition {
  segment: number;
  offset: number;
}

/** Consecutive ids, both ends included. */
export interface IdRun {
  first: bigint;
  last: bigint;
}

/** Which ids are there. Takes memory by the number of runs of consecutive ids, not by their number. */
export interface CachedIds {
  readonly count: number;
  /** The greatest one. */
  readonly max: bigint | undefined;
  has(id: bigint): boolean;
  /** In ascending order, apart from each other: between two of them is a hole. Not while records are appended. */
  runs(): Iterable<IdRun>;
}

export interface EmbeddingCacheReader extends AsyncDisposable {
  /** Unique: a cache that is made anew in the same folder is another one. */
  readonly id: string;
  readonly shape: CacheShape;
  readonly ids: CachedIds;
  /** All records, block by block, in the order in which they were written; a record whose id comes again later is left out. */
  blocks(options?: { after?: CachePosition; signal?: AbortSignal }): AsyncGenerator<CachedBlock>;
}

/** The only one that writes into its cache: a second one is refused. */
export interface EmbeddingCacheWriter extends AsyncDisposable {
  readonly shape: CacheShape;
  /** Those that were there, and those that were appended since. */
  readonly ids: CachedIds;
  /** What opening it found and mended: bytes of a torn block at the end that were cut off. */
  readonly cutBytes: number;
  /**
   * Appends records: in memory until a block is full. Ids that are there already are refused (already-exists).
   * @throws KindredError resource-exhausted when the disk is full; nothing that was synced is lost then
   */
  append(ids: BigInt64Array, vectors: Float32Array): Promise<void>;
  /** Writes and syncs what was appended; it survives any crash from then on. */
  checkpoint(): Promise<void>;
}
