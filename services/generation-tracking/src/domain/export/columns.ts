import { createHash } from "node:crypto";
import type { Generation, GenerationStatus, JsonValue, OutputState } from "../generation.ts";

/** What a column's values are: "timestamp" is in microseconds since 1970, a bigint; "json" is any JSON. */
export type ColumnType = "int64" | "int32" | "double" | "string" | "timestamp" | "json";

/** A value of a column; undefined where a generation has none. */
export type ColumnValue = bigint | number | string | JsonValue | undefined;

export interface ExportColumn {
  name: string;
  type: ColumnType;
  valueOf: (generation: Generation) => ColumnValue;
}

const STATUS_NAMES: Readonly<Record<GenerationStatus, string>> = {
  completed: "GENERATION_STATUS_COMPLETED",
  failed: "GENERATION_STATUS_FAILED",
  cancelled: "GENERATION_STATUS_CANCELLED",
  running: "GENERATION_STATUS_RUNNING",
};

const OUTPUT_STATE_NAMES: Readonly<Record<OutputState, string>> = {
  unknown: "OUTPUT_STATE_UNSPECIFIED",
  kept: "OUTPUT_STATE_KEPT",
  missing: "OUTPUT_STATE_MISSING",
  changed: "OUTPUT_STATE_CHANGED",
};

const present = (text: string): string | undefined => text || undefined;

/**
 * The columns of every export, in their order. Names and values are those of the contract's JSON, so that an import reads what was
 * exported. What only a running generation has, its progress and its lease, is left out.
 */
export const EXPORT_COLUMNS: readonly ExportColumn[] = [
  { name: "id", type: "int64", valueOf: ({ id }) => id },
  { name: "idempotency_key", type: "string", valueOf: exportKey },
  { name: "created_at", type: "timestamp", valueOf: ({ createdAtMicros }) => createdAtMicros },
  { name: "finished_at", type: "timestamp", valueOf: ({ finishedAtMicros }) => finishedAtMicros },
  { name: "status", type: "string", valueOf: ({ status }) => STATUS_NAMES[status] },
  { name: "prompt", type: "string", valueOf: ({ prompt }) => prompt },
  {
    name: "augmented_prompt",
    type: "string",
    valueOf: ({ augmentedPrompt }) => present(augmentedPrompt),
  },
  { name: "negative_prompt", type: "string", valueOf: ({ negativePrompt }) => present(negativePrompt) },
  { name: "output_path", type: "string", valueOf: ({ outputPath }) => present(outputPath) },
  { name: "seed", type: "int64", valueOf: ({ seed }) => seed },
  { name: "num_inference_steps", type: "int32", valueOf: ({ numInferenceSteps }) => numInferenceSteps },
  { name: "guidance_scale", type: "double", valueOf: ({ guidanceScale }) => guidanceScale },
  { name: "sampler", type: "string", valueOf: ({ sampler }) => present(sampler) },
  { name: "width", type: "int32", valueOf: ({ width }) => width },
  { name: "height", type: "int32", valueOf: ({ height }) => height },
  { name: "model_name", type: "string", valueOf: ({ modelName }) => present(modelName) },
  { name: "model_hash", type: "string", valueOf: ({ modelHash }) => present(modelHash) },
  { name: "model_config", type: "json", valueOf: ({ modelConfig }) => modelConfig },
  { name: "generation_time_ms", type: "int32", valueOf: ({ generationTimeMs }) => generationTimeMs },
  { name: "memory_usage_mb", type: "double", valueOf: ({ memoryUsageMb }) => memoryUsageMb },
  { name: "error_message", type: "string", valueOf: ({ errorMessage }) => present(errorMessage) },
  { name: "batch_id", type: "string", valueOf: ({ batchId }) => present(batchId) },
  { name: "parent_id", type: "int64", valueOf: ({ parentId }) => parentId },
  { name: "session_id", type: "string", valueOf: ({ sessionId }) => present(sessionId) },
  { name: "labels", type: "json", valueOf: ({ labels }) => (labels.length > 0 ? [...labels] : undefined) },
  { name: "rating", type: "int32", valueOf: ({ rating }) => rating },
  { name: "retrieval", type: "json", valueOf: retrievalJson },
  { name: "retrieved_examples", type: "json", valueOf: examplesJson },
  { name: "outputs", type: "json", valueOf: outputsJson },
];

/** One key for one generation of one Kindred, in whatever form it is exported: importing it twice stores it once. */
export function exportKey({ id, createdAtMicros, prompt }: Generation): string {
  const rest = ((createdAtMicros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = (createdAtMicros - rest) / 1_000_000n;
  const identity = JSON.stringify([String(id), String(seconds), Number(rest) * 1_000, prompt]);
  return `export-${createHash("sha256").update(identity).digest("hex").slice(0, 32)}`;
}

/** A number where a double holds it exactly, else text, as protobuf's JSON has it. */
export function integerJson(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

/** RFC 3339 in UTC, with as many digits of a second as it needs: none, three or six. */
export function timeJson(micros: bigint): string {
  const rest = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = new Date(Number((micros - rest) / 1_000n)).toISOString().slice(0, -".000Z".length);
  if (rest === 0n) return `${seconds}Z`;
  const digits = String(rest).padStart(6, "0");
  return `${seconds}.${digits.endsWith("000") ? digits.slice(0, 3) : digits}Z`;
}

function retrievalJson({ retrieval }: Generation): JsonValue | undefined {
  if (!retrieval) return undefined;
  return {
    query: retrieval.query,
    k: retrieval.k,
    ...(retrieval.threshold !== undefined && { threshold: retrieval.threshold }),
    space_id: retrieval.spaceId,
    method: retrieval.method,
    index_name: retrieval.indexName,
    ef_search: retrieval.efSearch,
    probes: retrieval.probes,
    expected_recall: retrieval.expectedRecall,
  };
}

function examplesJson({ retrievedExamples }: Generation): JsonValue | undefined {
  if (retrievedExamples.length === 0) return undefined;
  return retrievedExamples.map(({ imageId, imagePath, caption, similarity, rank }) => ({
    image_id: integerJson(imageId),
    image_path: imagePath,
    caption,
    similarity,
    rank,
  }));
}

function outputsJson({ outputs }: Generation): JsonValue | undefined {
  if (outputs.length === 0) return undefined;
  return outputs.map(({ path, sizeBytes, sha256, state, verifiedAtMicros }) => ({
    path,
    ...(sizeBytes !== undefined && { size_bytes: integerJson(sizeBytes) }),
    ...(sha256 && { sha256: Buffer.from(sha256).toString("base64") }),
    state: OUTPUT_STATE_NAMES[state],
    ...(verifiedAtMicros !== undefined && { verified_at: timeJson(verifiedAtMicros) }),
  }));
}
