import { createHash } from "node:crypto";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { timestampDate, TimestampSchema, type Timestamp } from "@bufbuild/protobuf/wkt";
import {
  GenerationFieldsSchema,
  GenerationSchema,
  GenerationStatus,
  type Generation,
  type GenerationFields,
} from "@kindred/contracts/generation-tracking/v1";
import type { ParquetColumn } from "@kindred/parquet";
import { toPlain } from "../plain.ts";
import { messageFromJson, objectOfLine, requireMembers } from "./json-message.ts";
import type { KnownColumns, RowValues } from "./parquet-rows.ts";
import { toColumns, type ParquetFormat } from "./parquet-sink.ts";
import { integerValue, jsonValue, numberValue, objectValue, textValue } from "./parquet-values.ts";

/** A generation on its way into a Kindred. */
export interface GenerationRecord {
  fields: GenerationFields;
  /** Recording it again under this key stores nothing new. */
  idempotencyKey: string;
  /** When it was recorded first; undefined where nobody says. */
  createdAt: Timestamp | undefined;
}

const MEMBERS = new Set([...GenerationSchema.fields.map(({ name }) => name), "idempotency_key"]);
/** What a Kindred says of its generations and nobody else can: its ids, and what only happens there. */
const ITS_OWN = ["id", "parent_id", "progress", "lease_expires_at", "finished_at"];
const EXAMPLE = '{"prompt": "a red kite"}';

/** Reads a generation as `export` and `generations list --json` write it. @throws Error that says what is wrong with the line. */
export function parseGenerationLine(line: string): GenerationRecord {
  return generationRecord(objectOfLine(line, EXAMPLE));
}

/** @throws Error that says what is wrong. */
export function generationRecord(object: JsonObject): GenerationRecord {
  requireMembers(object, MEMBERS, "a generation");
  const { created_at: createdAt, idempotency_key: key, ...others } = object;
  const members = Object.fromEntries(Object.entries(others).filter(([name]) => !ITS_OWN.includes(name)));
  if (key !== undefined && key !== null && (typeof key !== "string" || key === ""))
    throw new Error('"idempotency_key" has to be a text that is not empty');
  const fields = messageFromJson(GenerationFieldsSchema, {
    ...members,
    ...(members["status"] !== undefined && { status: statusOf(members["status"]) }),
  });
  if (fields.prompt === "") throw new Error('"prompt" has to be a text that is not empty');
  return {
    fields,
    idempotencyKey: key ?? `line-${digestOf(JSON.stringify(object))}`,
    createdAt: createdAt === undefined || createdAt === null ? undefined : timeOf(createdAt),
  };
}

/** "completed" means the same as the name in the .proto file. */
function statusOf(status: JsonValue): JsonValue {
  if (typeof status !== "string") return status;
  const name = status.toUpperCase();
  return name in GenerationStatus ? `GENERATION_STATUS_${name}` : status;
}

function timeOf(value: JsonValue): Timestamp {
  try {
    return messageFromJson(TimestampSchema, value as JsonObject);
  } catch (error) {
    throw new Error(`"created_at" has to be a time such as "2026-07-01T12:00:00Z"`, { cause: error });
  }
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

/** One key for one generation of one Kindred, in whatever form it is exported. */
export function exportKey({ id, createdAt, prompt }: Generation): string {
  return `export-${digestOf(JSON.stringify([String(id), String(createdAt?.seconds), createdAt?.nanos, prompt]))}`;
}

/** One line, as imports read it. */
export function generationLine(generation: Generation): string {
  const plain = toPlain(GenerationSchema, generation);
  return `${JSON.stringify({ ...plain, idempotency_key: exportKey(generation) })}\n`;
}

const COLUMNS: readonly ParquetColumn[] = [
  { name: "id", type: "int64", nullable: true },
  { name: "idempotency_key", type: "string", nullable: true },
  { name: "created_at", type: "timestamp", nullable: true },
  { name: "finished_at", type: "timestamp", nullable: true },
  { name: "status", type: "string", nullable: true },
  { name: "prompt", type: "string", nullable: false },
  { name: "augmented_prompt", type: "string", nullable: true },
  { name: "negative_prompt", type: "string", nullable: true },
  { name: "output_path", type: "string", nullable: true },
  { name: "seed", type: "int64", nullable: true },
  { name: "num_inference_steps", type: "int32", nullable: true },
  { name: "guidance_scale", type: "double", nullable: true },
  { name: "sampler", type: "string", nullable: true },
  { name: "width", type: "int32", nullable: true },
  { name: "height", type: "int32", nullable: true },
  { name: "model_name", type: "string", nullable: true },
  { name: "model_hash", type: "string", nullable: true },
  { name: "generation_time_ms", type: "int32", nullable: true },
  { name: "memory_usage_mb", type: "double", nullable: true },
  { name: "model_config", type: "json", nullable: true },
  { name: "retrieved_examples", type: "json", nullable: true },
  { name: "error_message", type: "string", nullable: true },
  { name: "batch_id", type: "string", nullable: true },
  { name: "parent_id", type: "int64", nullable: true },
  { name: "session_id", type: "string", nullable: true },
  { name: "labels", type: "json", nullable: true },
  { name: "rating", type: "int32", nullable: true },
  { name: "retrieval", type: "json", nullable: true },
  { name: "outputs", type: "json", nullable: true },
];

export const GENERATION_COLUMNS: KnownColumns = {
  what: "a generation",
  required: ["prompt"],
  optional: COLUMNS.map(({ name }) => name).filter((name) => name !== "prompt"),
  remedy: "Leave them out.",
};

export function generationParquet(): ParquetFormat<readonly Generation[]> {
  return {
    columns: COLUMNS,
    metadata: { "kindred.content": "generations" },
    batch: (generations) =>
      toColumns<Generation>(generations, {
        id: ({ id }) => id,
        idempotency_key: exportKey,
        created_at: ({ createdAt }) => createdAt && timestampDate(createdAt),
        finished_at: ({ finishedAt }) => finishedAt && timestampDate(finishedAt),
        status: (generation) => memberOf(generation, "status"),
        prompt: ({ prompt }) => prompt,
        augmented_prompt: ({ augmentedPrompt }) => augmentedPrompt,
        negative_prompt: ({ negativePrompt }) => negativePrompt,
        output_path: ({ outputPath }) => outputPath,
        seed: ({ seed }) => seed,
        num_inference_steps: ({ numInferenceSteps }) => numInferenceSteps,
        guidance_scale: ({ guidanceScale }) => guidanceScale,
        sampler: ({ sampler }) => sampler,
        width: ({ width }) => width,
        height: ({ height }) => height,
        model_name: ({ modelName }) => modelName,
        model_hash: ({ modelHash }) => modelHash,
        generation_time_ms: ({ generationTimeMs }) => generationTimeMs,
        memory_usage_mb: ({ memoryUsageMb }) => memoryUsageMb,
        model_config: ({ modelConfig }) => modelConfig,
        retrieved_examples: (generation) => memberOf(generation, "retrieved_examples"),
        error_message: ({ errorMessage }) => errorMessage,
        batch_id: ({ batchId }) => batchId,
        parent_id: ({ parentId }) => parentId,
        session_id: ({ sessionId }) => sessionId,
        labels: (generation) => memberOf(generation, "labels"),
        rating: ({ rating }) => rating,
        retrieval: (generation) => memberOf(generation, "retrieval"),
        outputs: (generation) => memberOf(generation, "outputs"),
      }),
  };
}

function memberOf(generation: Generation, name: string): JsonValue | undefined {
  return toPlain(GenerationSchema, generation)[name];
}

/** @throws Error that says what is wrong with the row. */
export function readGenerationRow(row: RowValues): GenerationRecord {
  const createdAt = row["created_at"];
  const members = {
    id: integerValue(row, "id"),
    idempotency_key: textValue(row, "idempotency_key"),
    created_at: createdAt instanceof Date ? createdAt.toISOString() : textValue(row, "created_at"),
    status: textValue(row, "status"),
    prompt: textValue(row, "prompt"),
    augmented_prompt: textValue(row, "augmented_prompt"),
    negative_prompt: textValue(row, "negative_prompt"),
    output_path: textValue(row, "output_path"),
    seed: integerValue(row, "seed"),
    num_inference_steps: integerValue(row, "num_inference_steps"),
    guidance_scale: numberValue(row, "guidance_scale"),
    sampler: textValue(row, "sampler"),
    width: integerValue(row, "width"),
    height: integerValue(row, "height"),
    model_name: textValue(row, "model_name"),
    model_hash: textValue(row, "model_hash"),
    generation_time_ms: integerValue(row, "generation_time_ms"),
    memory_usage_mb: numberValue(row, "memory_usage_mb"),
    model_config: objectValue(row, "model_config"),
    retrieved_examples: jsonValue(row, "retrieved_examples"),
    error_message: textValue(row, "error_message"),
    batch_id: textValue(row, "batch_id"),
    session_id: textValue(row, "session_id"),
    labels: jsonValue(row, "labels"),
    rating: integerValue(row, "rating"),
    retrieval: objectValue(row, "retrieval"),
    outputs: jsonValue(row, "outputs"),
  };
  return generationRecord(
    Object.fromEntries(
      Object.entries(members).filter((member): member is [string, JsonValue] => member[1] !== undefined),
    ),
  );
}
