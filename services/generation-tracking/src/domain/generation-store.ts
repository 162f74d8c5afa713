import type {
  Generation,
  GenerationFields,
  GenerationFilter,
  GenerationStatistics,
  ListPosition,
} from "./generation.ts";

/** The caller's key for one recording, and what was recorded under it. */
export interface IdempotencyKey {
  key: string;
  digest: Uint8Array;
}

/** Where generations are kept. Errors are KindredErrors. */
export interface GenerationStore {
  /**
   * Stores one generation; exactly one of several calls with the same key does, also when they come at once.
   * @param createdAtMicros when it was recorded elsewhere, in microseconds since 1970; undefined: now
   * @returns undefined when the key was taken, and then nothing was stored
   */
  insert(
    fields: GenerationFields,
    idempotency?: IdempotencyKey,
    createdAtMicros?: bigint,
  ): Promise<Generation | undefined>;
  findByIdempotencyKey(key: string): Promise<{ generation: Generation; digest: Uint8Array } | undefined>;
  find(id: bigint): Promise<Generation | undefined>;
  /** At most `limit` generations, newest first, beginning behind `after`. */
  list(query: {
    filter: GenerationFilter;
    after: ListPosition | undefined;
    limit: number;
  }): Promise<Generation[]>;
  statistics(): Promise<GenerationStatistics>;
}
