import type { Generation, GenerationFields } from "./generation.ts";

/** The caller's key for one recording, and what was recorded under it. */
export interface IdempotencyKey {
  key: string;
  digest: Uint8Array;
}

export interface InsertOptions {
  idempotency?: IdempotencyKey | undefined;
  /** When it was recorded elsewhere, in microseconds since 1970; undefined: now. */
  createdAtMicros?: bigint | undefined;
  /** Of one that runs: how long it may be silent. */
  leaseMs?: number | undefined;
}

/** Where generations are kept. Errors are KindredErrors. */
export interface GenerationStore {
  /**
   * Stores one generation; exactly one of several calls with the same key does, also when they come at once.
   * @returns undefined when the key was taken, and then nothing was stored
   * @throws KindredError not-found when there is no generation with its parentId
   */
  insert(fields: GenerationFields, options?: InsertOptions): Promise<Generation | undefined>;
  findByIdempotencyKey(key: string): Promise<{ generation: Generation; digest: Uint8Array } | undefined>;
  find(id: bigint): Promise<Generation | undefined>;
  /** In the order of `ids`; those that are not there are left out. */
  findMany(ids: readonly bigint[]): Promise<Generation[]>;
}
