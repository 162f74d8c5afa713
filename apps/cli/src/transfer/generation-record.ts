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
const EXAMPLE = '{"prompt": "a red kite"}';

/** Reads a generation as `export` and `generations list --json` write it. @throws Error that says what is wrong with the line. */
export function parseGenerationLine(line: string): GenerationRecord {
  return generationRecord(objectOfLine(line, EXAMPLE));
}

/** @throws Error that says what is wrong. */
export function generationRecord(object: JsonObject): GenerationRecord {
  requireMembers(object, MEMBERS, "a generation");
  const { id: _id, created_at: createdAt, idempotency_key: key, ...members } = object;
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
  { name: "status", type: "string", nullable: true },
  { name: "prompt", type: "string", nullable: false },
  { name: "augmented_prompt", type: "string", nullable: true },
  { name: "output_path", type: "string", nullable: true },
  { name: "seed", type: "int64", nullable: true },
  { name: "num_inference_steps", type: "int32", nullable: true },
  { name: "guidance_scale", type: "double", nullable: true },
  { name: "generation_time_ms", type: "int32", nullable: true },
  { name: "memory_usage_mb", type: "double", nullable: true },
  { name: "model_config", type: "json", nullable: true },
  { name: "retrieved_examples", type: "json", nullable: true },
  { name: "error_message", type: "string", nullable: true },
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
        status: (generation) => toPlain(GenerationSchema, generation)["status"],
        prompt: ({ prompt }) => prompt,
        augmented_prompt: ({ augmentedPrompt }) => augmentedPrompt,
        output_path: ({ outputPath }) => outputPath,
        seed: ({ seed }) => seed,
        num_inference_steps: ({ numInferenceSteps }) => numInferenceSteps,
        guidance_scale: ({ guidanceScale }) => guidanceScale,
        generation_time_ms: ({ generationTimeMs }) => generationTimeMs,
        memory_usage_mb: ({ memoryUsageMb }) => memoryUsageMb,
        model_config: ({ modelConfig }) => modelConfig,
        retrieved_examples: (generation) => toPlain(GenerationSchema, generation)["retrieved_examples"],
        error_message: ({ errorMessage }) => errorMessage,
      }),
  };
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
    output_path: textValue(row, "output_path"),
    seed: integerValue(row, "seed"),
    num_inference_steps: integerValue(row, "num_inference_steps"),
    guidance_scale: numberValue(row, "guidance_scale"),
    generation_time_ms: integerValue(row, "generation_time_ms"),
    memory_usage_mb: numberValue(row, "memory_usage_mb"),
    model_config: objectValue(row, "model_config"),
    retrieved_examples: jsonValue(row, "retrieved_examples"),
    error_message: textValue(row, "error_message"),
  };
  return generationRecord(
    Object.fromEntries(
      Object.entries(members).filter((member): member is [string, JsonValue] => member[1] !== undefined),
    ),
  );
}
