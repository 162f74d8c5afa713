import type { GenerationStatus, JsonValue, OutputState } from "./generation.ts";

/** Numbers from `min` to `max`, both included; without bounds every number. What has no number is outside of every range. */
export interface NumberRange {
  min?: number | undefined;
  max?: number | undefined;
}

/** A condition on a member of model_config. */
export interface ConfigCondition {
  /** Names of members, from the outermost one on; at least one. */
  path: readonly string[];
  /** Undefined: the member is there, whatever it is. A number or a text is equal to a list, too, that has it. */
  equals?: JsonValue | undefined;
}

/** Conditions that all have to hold; an absent one, and an empty list, always holds. */
export interface GenerationFilter {
  /** One of these, as with all lists but labels. */
  status?: readonly GenerationStatus[] | undefined;
  /** Taken literally, in any case, as the two others that end in "Contains". */
  promptContains?: string | undefined;
  /** In the way of web searches: quoted phrases, OR, and - before what must not be there. */
  promptWords?: string | undefined;
  /** Recorded at or after this time, in microseconds since 1970. */
  createdAfterMicros?: bigint | undefined;
  /** Recorded before this time. */
  createdBeforeMicros?: bigint | undefined;
  modelName?: readonly string[] | undefined;
  modelHash?: readonly string[] | undefined;
  sampler?: readonly string[] | undefined;
  sessionId?: string | undefined;
  batchId?: string | undefined;
  parentId?: bigint | undefined;
  /** All of these. */
  labels?: readonly string[] | undefined;
  rating?: NumberRange | undefined;
  seed?: bigint | undefined;
  numInferenceSteps?: NumberRange | undefined;
  guidanceScale?: NumberRange | undefined;
  generationTimeMs?: NumberRange | undefined;
  memoryUsageMb?: NumberRange | undefined;
  width?: NumberRange | undefined;
  height?: NumberRange | undefined;
  modelConfig?: readonly ConfigCondition[] | undefined;
  outputPathPrefix?: string | undefined;
  errorContains?: string | undefined;
  /** One of the retrieved examples was this image. */
  imageId?: bigint | undefined;
  negativePromptContains?: string | undefined;
  /** One of the outputs is in this state. */
  outputState?: OutputState | undefined;
}

/** What lists are sorted by; generations without such a value come last. */
export type GenerationSortKey = "created_at" | "generation_time_ms" | "memory_usage_mb" | "rating";

/** An order. Ties are broken by id, newest first, whichever way it goes. */
export interface GenerationOrder {
  key: GenerationSortKey;
  /** The least first. */
  ascending: boolean;
}

export const NEWEST_FIRST: GenerationOrder = { key: "created_at", ascending: false };

/** Where a generation is in an order. */
export interface ListPosition {
  /** Microseconds since 1970 for "created_at"; undefined for a generation without the value. */
  value: bigint | number | undefined;
  id: bigint;
}
