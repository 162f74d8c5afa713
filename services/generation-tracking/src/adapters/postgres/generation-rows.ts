import type {
  Generation,
  GenerationFields,
  GenerationStatus,
  JsonObject,
  RetrievedExample,
} from "../../domain/generation.ts";
import type { GenerationRow } from "./generation-entity.ts";

/** An element of retrieved_examples; the id is text because JSON numbers are exact to 53 bits only. */
interface ExampleJson {
  image_id: string;
  image_path: string;
  caption: string;
  similarity: number;
}

type WrittenColumns = Omit<
  GenerationRow,
  "id" | "createdAt" | "createdAtMicros" | "idempotencyKey" | "requestDigest"
>;

/** Empty texts become NULL, as users' own SQL writes them. */
export function toRow(fields: GenerationFields): WrittenColumns {
  return {
    prompt: fields.prompt,
    augmentedPrompt: fields.augmentedPrompt || null,
    outputPath: fields.outputPath || null,
    seed: fields.seed?.toString() ?? null,
    numInferenceSteps: fields.numInferenceSteps ?? null,
    guidanceScale: fields.guidanceScale ?? null,
    generationTimeMs: fields.generationTimeMs ?? null,
    memoryUsageMb: fields.memoryUsageMb ?? null,
    modelConfig: fields.modelConfig ?? null,
    retrievedExamples: fields.retrievedExamples.map((example): ExampleJson => ({
      image_id: String(example.imageId),
      image_path: example.imagePath,
      caption: example.caption,
      similarity: example.similarity,
    })),
    status: fields.status,
    errorMessage: fields.errorMessage || null,
  };
}

export function toGeneration(row: GenerationRow): Generation {
  return {
    id: BigInt(row.id),
    prompt: row.prompt,
    augmentedPrompt: row.augmentedPrompt ?? "",
    outputPath: row.outputPath ?? "",
    seed: row.seed === null ? undefined : BigInt(row.seed),
    numInferenceSteps: row.numInferenceSteps ?? undefined,
    guidanceScale: row.guidanceScale ?? undefined,
    generationTimeMs: row.generationTimeMs ?? undefined,
    memoryUsageMb: row.memoryUsageMb ?? undefined,
    modelConfig: isObject(row.modelConfig) ? (row.modelConfig as JsonObject) : undefined,
    retrievedExamples: readExamples(row.retrievedExamples),
    status: row.status as GenerationStatus,
    errorMessage: row.errorMessage ?? "",
    createdAtMicros: BigInt(row.createdAtMicros),
  };
}

/** Rows that users' own SQL wrote may hold any JSON: what is no list of objects is none, what they lack is empty. */
function readExamples(json: unknown): RetrievedExample[] {
  if (!Array.isArray(json)) return [];
  return json.filter(isObject).map((example) => ({
    imageId: readId(example["image_id"]),
    imagePath: typeof example["image_path"] === "string" ? example["image_path"] : "",
    caption: typeof example["caption"] === "string" ? example["caption"] : "",
    similarity: typeof example["similarity"] === "number" ? example["similarity"] : 0,
  }));
}

const LARGEST_ID = 2n ** 63n - 1n;

function readId(json: unknown): bigint {
  if (typeof json !== "string" && typeof json !== "number") return 0n;
  if (!/^\d+$/.test(String(json))) return 0n;
  const id = BigInt(json);
  return id <= LARGEST_ID ? id : 0n;
}

function isObject(json: unknown): json is Record<string, unknown> {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
