import type { CallLimits } from "../lineage/ports.ts";

/** A generation's prompt, as it is kept in the vector store under the generation's id. */
export interface Prompt {
  generationId: bigint;
  text: string;
  /** When the generation was recorded, in microseconds since 1970; undefined for no time at all, as SQL of somebody's own may have it. */
  createdAtMicros: bigint | undefined;
}

/** A prompt that the vector store does not take, whatever happens. */
export interface RefusedPrompt {
  generationId: bigint;
  reason: string;
}

/** A prompt that is like a query. */
export interface NearPrompt {
  generationId: bigint;
  /** Cosine similarity, -1 to 1. */
  similarity: number;
}

export interface PromptQuery {
  text: string;
  /** How many, 1 to 1,000. */
  k: number;
  /** Leaves out so many of the nearest first; offset + k is at most 10,000. */
  offset: number;
  /** Least similarity. */
  threshold: number | undefined;
  /** Only prompts of these generations, at most 1,000, each of which is compared; undefined: of all. */
  among: readonly bigint[] | undefined;
}

/**
 * The vector store's collection of prompts. Errors are KindredErrors: unavailable while it cannot be reached, not-found where there is no such
 * collection.
 */
export interface PromptCollection {
  /** Makes the collection, in the embedding space that is served now. One that is there already stays. */
  create(limits: CallLimits): Promise<void>;
  /**
   * Adds prompts, and replaces those of the same generations, all in one transaction, but for those that are refused.
   * @throws KindredError invalid-argument, too, when nothing was stored for the sake of some prompt that it cannot single out
   */
  store(prompts: readonly Prompt[], limits: CallLimits): Promise<RefusedPrompt[]>;
  /** Removes the prompts of generations; those that are not there are left out. */
  remove(generationIds: readonly bigint[], limits: CallLimits): Promise<void>;
  /** The nearest first; equal ones by ascending id. */
  nearest(query: PromptQuery, limits: CallLimits): Promise<NearPrompt[]>;
}
