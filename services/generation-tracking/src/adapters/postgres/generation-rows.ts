import type {
  Generation,
  GenerationFields,
  GenerationStatus,
  JsonObject,
  OutputFile,
  OutputState,
  Retrieval,
  RetrievedExample,
} from "../../domain/generation.ts";
import type { GenerationRow, OutputJson } from "./generation-entity.ts";

/** An element of retrieved_examples; the id is text because JSON numbers are exact to 53 bits only. */
interface ExampleJson {
  image_id: string;
  image_path: string;
  caption: string;
  similarity: number;
  /** Left out where it is the place in the list. */
  rank?: number;
}

/** retrieval's members: those of the contract's JSON. */
interface RetrievalJson {
  query: string;
  k: number;
  threshold: number | null;
  space_id: string;
  method: string;
  index_name: string;
  ef_search: number;
  probes: number;
  expected_recall: number;
}

type WrittenColumns = Pick<
  GenerationRow,
  | "prompt"
  | "augmentedPrompt"
  | "outputPath"
  | "seed"
  | "numInferenceSteps"
  | "guidanceScale"
  | "generationTimeMs"
  | "memoryUsageMb"
  | "modelConfig"
  | "retrievedExamples"
  | "status"
  | "errorMessage"
  | "negativePrompt"
  | "sampler"
  | "width"
  | "height"
  | "modelName"
  | "modelHash"
  | "batchId"
  | "parentId"
  | "sessionId"
  | "labels"
  | "rating"
  | "retrieval"
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
    retrievedExamples: fields.retrievedExamples.map((example, i): ExampleJson => ({
      image_id: String(example.imageId),
      image_path: example.imagePath,
      caption: example.caption,
      similarity: example.similarity,
      ...(example.rank !== i + 1 && { rank: example.rank }),
    })),
    status: fields.status,
    errorMessage: fields.errorMessage || null,
    negativePrompt: fields.negativePrompt || null,
    sampler: fields.sampler || null,
    width: fields.width ?? null,
    height: fields.height ?? null,
    modelName: fields.modelName || null,
    modelHash: fields.modelHash || null,
    batchId: fields.batchId || null,
    parentId: fields.parentId?.toString() ?? null,
    sessionId: fields.sessionId || null,
    labels: [...fields.labels],
    rating: fields.rating ?? null,
    retrieval: fields.retrieval ? toRetrievalJson(fields.retrieval) : null,
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
    negativePrompt: row.negativePrompt ?? "",
    sampler: row.sampler ?? "",
    width: row.width ?? undefined,
    height: row.height ?? undefined,
    modelName: row.modelName ?? "",
    modelHash: row.modelHash ?? "",
    batchId: row.batchId ?? "",
    parentId: row.parentId === null ? undefined : BigInt(row.parentId),
    sessionId: row.sessionId ?? "",
    labels: row.labels,
    rating: row.rating ?? undefined,
    retrieval: isObject(row.retrieval) ? readRetrieval(row.retrieval) : undefined,
    outputs: (row.outputs ?? []).map(toOutputFile),
    createdAtMicros: BigInt(row.createdAtMicros),
    progress:
      row.progressAtMicros === null
        ? undefined
        : {
            done: row.progressDone ?? 0,
            total: row.progressTotal ?? 0,
            message: row.progressMessage ?? "",
            reportedAtMicros: BigInt(row.progressAtMicros),
          },
    leaseExpiresAtMicros: row.leaseExpiresAtMicros === null ? undefined : BigInt(row.leaseExpiresAtMicros),
    finishedAtMicros: row.finishedAtMicros === null ? undefined : BigInt(row.finishedAtMicros),
  };
}

export function toOutputFile(output: OutputJson): OutputFile {
  return {
    path: output.path,
    sizeBytes: output.size_bytes === null ? undefined : BigInt(output.size_bytes),
    sha256: output.sha256 === null ? undefined : Buffer.from(output.sha256, "hex"),
    state: output.state as OutputState,
    verifiedAtMicros: output.verified_at_micros === null ? undefined : BigInt(output.verified_at_micros),
  };
}

function toRetrievalJson(retrieval: Retrieval): RetrievalJson {
  return {
    query: retrieval.query,
    k: retrieval.k,
    threshold: retrieval.threshold ?? null,
    space_id: retrieval.spaceId,
    method: retrieval.method,
    index_name: retrieval.indexName,
    ef_search: retrieval.efSearch,
    probes: retrieval.probes,
    expected_recall: retrieval.expectedRecall,
  };
}

/** Whatever the JSON holds: what it lacks is empty. */
function readRetrieval(json: Record<string, unknown>): Retrieval {
  const text = (value: unknown): string => (typeof value === "string" ? value : "");
  const number = (value: unknown): number => (typeof value === "number" ? value : 0);
  const whole = (value: unknown): number => {
    const read = number(value);
    return Number.isInteger(read) && read >= 0 && read <= LARGEST_INT32 ? read : 0;
  };
  const threshold = json["threshold"];
  return {
    query: text(json["query"]),
    k: whole(json["k"]),
    threshold: typeof threshold === "number" ? threshold : undefined,
    spaceId: text(json["space_id"]),
    method: text(json["method"]),
    indexName: text(json["index_name"]),
    efSearch: whole(json["ef_search"]),
    probes: whole(json["probes"]),
    expectedRecall: number(json["expected_recall"]),
  };
}

/** Rows that users' own SQL wrote may hold any JSON: what is no list of objects is none, what they lack is empty. */
function readExamples(json: unknown): RetrievedExample[] {
  if (!Array.isArray(json)) return [];
  return json
    .flatMap((example: unknown, i) => (isObject(example) ? [readExample(example, i + 1)] : []))
    .toSorted((a, b) => a.rank - b.rank);
}

function readExample(example: Record<string, unknown>, position: number): RetrievedExample {
  return {
    imageId: readId(example["image_id"]),
    imagePath: typeof example["image_path"] === "string" ? example["image_path"] : "",
    caption: typeof example["caption"] === "string" ? example["caption"] : "",
    // JSON may have numbers that are none here.
    similarity: Number.isFinite(example["similarity"]) ? (example["similarity"] as number) : 0,
    rank: readRank(example["rank"]) ?? position,
  };
}

const LARGEST_ID = 2n ** 63n - 1n;
const LARGEST_INT32 = 2 ** 31 - 1;

function readRank(json: unknown): number | undefined {
  return typeof json === "number" && Number.isInteger(json) && json >= 1 && json <= LARGEST_INT32
    ? json
    : undefined;
}

function readId(json: unknown): bigint {
  if (typeof json !== "string" && typeof json !== "number") return 0n;
  if (!/^\d+$/.test(String(json))) return 0n;
  const id = BigInt(json);
  return id <= LARGEST_ID ? id : 0n;
}

function isObject(json: unknown): json is Record<string, unknown> {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
