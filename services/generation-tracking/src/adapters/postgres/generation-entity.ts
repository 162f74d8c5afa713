import { EntitySchema, type EntitySchemaColumnOptions } from "typeorm";

/** A row of `generations` as `pg` gives it: 64-bit integers are text. */
export interface GenerationRow {
  id: string;
  prompt: string;
  augmentedPrompt: string | null;
  outputPath: string | null;
  seed: string | null;
  numInferenceSteps: number | null;
  guidanceScale: number | null;
  generationTimeMs: number | null;
  memoryUsageMb: number | null;
  modelConfig: object | null;
  retrievedExamples: object | null;
  status: string;
  errorMessage: string | null;
  /** For conditions and order only, as leaseExpiresAt is: a Date would lose the microseconds. */
  createdAt: Date;
  createdAtMicros: string;
  idempotencyKey: string | null;
  requestDigest: Buffer | null;
  negativePrompt: string | null;
  sampler: string | null;
  width: number | null;
  height: number | null;
  modelName: string | null;
  modelHash: string | null;
  batchId: string | null;
  parentId: string | null;
  sessionId: string | null;
  labels: string[];
  rating: number | null;
  retrieval: object | null;
  progressDone: number | null;
  progressTotal: number | null;
  progressMessage: string | null;
  progressAtMicros: string | null;
  leaseMs: number | null;
  leaseExpiresAt: Date | null;
  leaseExpiresAtMicros: string | null;
  finishedAtMicros: string | null;
  /** By position; null when there is none. */
  outputs: OutputJson[] | null;
}

/** An output as the entity's subselect gives it: 64-bit integers are text, bytes are hexadecimal. */
export interface OutputJson {
  path: string;
  size_bytes: string | null;
  sha256: string | null;
  state: string;
  verified_at_micros: string | null;
}

/** The expression for whole microseconds since 1970; exact, because extract() returns numeric. */
export const epochMicros = (column: string): string => `(extract(epoch FROM ${column}) * 1000000)::bigint`;

const OUTPUTS_JSON = `json_agg(json_build_object(
  'path', o.path, 'size_bytes', o.size_bytes::text, 'sha256', encode(o.sha256, 'hex'), 'state', o.state,
  'verified_at_micros', ${epochMicros("o.verified_at")}::text) ORDER BY o.position)`;

/** Read only; whole microseconds since 1970. */
function microsColumn(column: string): EntitySchemaColumnOptions {
  return {
    type: "bigint",
    virtualProperty: true,
    query: (alias) => `SELECT ${epochMicros(`${alias}.${column}`)}`,
  };
}

export const GenerationEntity = new EntitySchema<GenerationRow>({
  name: "Generation",
  tableName: "generations",
  columns: {
    id: { type: "bigint", primary: true, generated: "increment" },
    prompt: { type: "text" },
    augmentedPrompt: { name: "augmented_prompt", type: "text", nullable: true },
    outputPath: { name: "output_path", type: "varchar", length: 500, nullable: true },
    seed: { type: "bigint", nullable: true },
    numInferenceSteps: { name: "num_inference_steps", type: "integer", nullable: true },
    guidanceScale: { name: "guidance_scale", type: "double precision", nullable: true },
    generationTimeMs: { name: "generation_time_ms", type: "integer", nullable: true },
    memoryUsageMb: { name: "memory_usage_mb", type: "double precision", nullable: true },
    modelConfig: { name: "model_config", type: "jsonb", nullable: true },
    retrievedExamples: { name: "retrieved_examples", type: "jsonb", nullable: true },
    status: { type: "varchar", length: 20 },
    errorMessage: { name: "error_message", type: "text", nullable: true },
    createdAt: { name: "created_at", type: "timestamptz", select: false, update: false },
    createdAtMicros: microsColumn("created_at"),
    idempotencyKey: { name: "idempotency_key", type: "varchar", length: 200, nullable: true, unique: true },
    requestDigest: { name: "request_digest", type: "bytea", nullable: true, select: false },
    negativePrompt: { name: "negative_prompt", type: "text", nullable: true },
    sampler: { type: "varchar", length: 100, nullable: true },
    width: { type: "integer", nullable: true },
    height: { type: "integer", nullable: true },
    modelName: { name: "model_name", type: "varchar", length: 200, nullable: true },
    modelHash: { name: "model_hash", type: "varchar", length: 128, nullable: true },
    batchId: { name: "batch_id", type: "varchar", length: 100, nullable: true },
    parentId: { name: "parent_id", type: "bigint", nullable: true },
    sessionId: { name: "session_id", type: "varchar", length: 100, nullable: true },
    labels: { type: "text", array: true },
    rating: { type: "smallint", nullable: true },
    retrieval: { type: "jsonb", nullable: true },
    progressDone: { name: "progress_done", type: "integer", nullable: true },
    progressTotal: { name: "progress_total", type: "integer", nullable: true },
    progressMessage: { name: "progress_message", type: "varchar", length: 200, nullable: true },
    progressAtMicros: microsColumn("progress_at"),
    leaseMs: { name: "lease_ms", type: "integer", nullable: true },
    leaseExpiresAt: { name: "lease_expires_at", type: "timestamptz", nullable: true, select: false },
    leaseExpiresAtMicros: microsColumn("lease_expires_at"),
    finishedAtMicros: microsColumn("finished_at"),
    outputs: {
      type: "json",
      virtualProperty: true,
      query: (alias) =>
        `SELECT ${OUTPUTS_JSON} FROM generation_outputs o WHERE o.generation_id = ${alias}.id`,
    },
  },
});
