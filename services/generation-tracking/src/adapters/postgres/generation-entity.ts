import { EntitySchema } from "typeorm";

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
  /** For conditions and order only: a Date would lose the microseconds. */
  createdAt: Date;
  createdAtMicros: string;
  idempotencyKey: string | null;
  requestDigest: Buffer | null;
}

/** The expression for whole microseconds since 1970; exact, because extract() returns numeric. */
export const epochMicros = (column: string): string => `(extract(epoch FROM ${column}) * 1000000)::bigint`;

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
    createdAtMicros: {
      type: "bigint",
      virtualProperty: true,
      query: (alias) => `SELECT ${epochMicros(`${alias}.created_at`)}`,
    },
    idempotencyKey: { name: "idempotency_key", type: "varchar", length: 200, nullable: true, unique: true },
    requestDigest: { name: "request_digest", type: "bytea", nullable: true, select: false },
  },
});
