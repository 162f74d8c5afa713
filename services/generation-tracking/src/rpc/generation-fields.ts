import {
  GenerationStatus as ProtoStatus,
  type GenerationFields as FieldsMessage,
  type Retrieval as RetrievalMessage,
} from "@kindred/contracts/generation-tracking/v1";
import type { FieldChecks } from "@kindred/rpc";
import type { EndStatus, GenerationFields, Retrieval } from "../domain/generation.ts";
import { checkJsonObject } from "./json-checks.ts";
import { toDomainStatus } from "./messages.ts";
import { MAX_PATH_CHARACTERS, readOutputs } from "./output-fields.ts";

const MAX_EXAMPLES = 1000;
const MAX_LABELS = 100;
const MAX_PIXELS = 65_536;

/** The domain's fields of the message at `path`; what is wrong with them is added to `checks`. */
export function readGenerationFields(
  message: FieldsMessage,
  path: string,
  checks: FieldChecks,
): GenerationFields {
  const settings = readSettings(message, path, checks);
  const status = readEndStatus(message, path, checks);
  const { generationTimeMs, memoryUsageMb, errorMessage } = message;
  checks.notNegative(`${path}.generation_time_ms`, generationTimeMs);
  checks.notNegative(`${path}.memory_usage_mb`, memoryUsageMb);
  checks.text(`${path}.error_message`, errorMessage);
  return {
    ...settings,
    ...readOutputs(message, `${path}.`, checks),
    generationTimeMs,
    memoryUsageMb,
    status,
    errorMessage,
  };
}

/** The domain's fields of a generation that begins: what only its end tells is refused. */
export function readStartFields(message: FieldsMessage, path: string, checks: FieldChecks): GenerationFields {
  const early = "is not known before it ends: leave it out";
  if (message.status !== ProtoStatus.UNSPECIFIED) checks.add(`${path}.status`, early);
  if (message.errorMessage !== "") checks.add(`${path}.error_message`, early);
  if (message.generationTimeMs !== undefined) checks.add(`${path}.generation_time_ms`, early);
  if (message.memoryUsageMb !== undefined) checks.add(`${path}.memory_usage_mb`, early);
  if (message.outputPath !== "") checks.add(`${path}.output_path`, early);
  if (message.outputs.length > 0) checks.add(`${path}.outputs`, early);
  return {
    ...readSettings(message, path, checks),
    generationTimeMs: undefined,
    memoryUsageMb: undefined,
    status: "running",
    errorMessage: "",
    outputPath: "",
    outputs: [],
  };
}

function readEndStatus(message: FieldsMessage, path: string, checks: FieldChecks): EndStatus {
  const status = message.status === ProtoStatus.UNSPECIFIED ? "completed" : toDomainStatus(message.status);
  if (!status) {
    checks.add(`${path}.status`, `must be a known GenerationStatus, is ${message.status}`);
    return "completed";
  }
  if (status === "running") {
    checks.add(`${path}.status`, "must be how it ended: begin one that runs by StartGeneration");
    return "completed";
  }
  if (message.errorMessage !== "" && status !== "failed") {
    checks.add(`${path}.error_message`, "must be empty unless status is GENERATION_STATUS_FAILED");
  }
  return status;
}

type Settings = Omit<
  GenerationFields,
  "generationTimeMs" | "memoryUsageMb" | "status" | "errorMessage" | "outputPath" | "outputs"
>;

/** What is known of a generation from its beginning. */
function readSettings(message: FieldsMessage, path: string, checks: FieldChecks): Settings {
  checks.text(`${path}.prompt`, message.prompt, { required: true });
  checks.text(`${path}.augmented_prompt`, message.augmentedPrompt);
  checks.notNegative(`${path}.num_inference_steps`, message.numInferenceSteps);
  checks.finite(`${path}.guidance_scale`, message.guidanceScale);
  if (message.modelConfig !== undefined) checkJsonObject(message.modelConfig, `${path}.model_config`, checks);
  checks.text(`${path}.negative_prompt`, message.negativePrompt);
  checks.text(`${path}.sampler`, message.sampler, { maxCharacters: 100 });
  checkRange(`${path}.width`, message.width, MAX_PIXELS, checks);
  checkRange(`${path}.height`, message.height, MAX_PIXELS, checks);
  checks.text(`${path}.model_name`, message.modelName, { maxCharacters: 200 });
  checks.text(`${path}.model_hash`, message.modelHash, { maxCharacters: 128 });
  checks.text(`${path}.batch_id`, message.batchId, { maxCharacters: 100 });
  if (message.parentId !== undefined && message.parentId < 1n)
    checks.add(`${path}.parent_id`, `must be at least 1, is ${message.parentId}`);
  const { sessionId, labels, rating } = readChangeable(message, path, checks);
  return {
    prompt: message.prompt,
    augmentedPrompt: message.augmentedPrompt,
    seed: message.seed,
    numInferenceSteps: message.numInferenceSteps,
    guidanceScale: message.guidanceScale,
    modelConfig: message.modelConfig,
    retrievedExamples: readExamples(message, `${path}.retrieved_examples`, checks),
    negativePrompt: message.negativePrompt,
    sampler: message.sampler,
    width: message.width,
    height: message.height,
    modelName: message.modelName,
    modelHash: message.modelHash,
    batchId: message.batchId,
    parentId: message.parentId,
    sessionId,
    labels,
    rating,
    retrieval: message.retrieval && readRetrieval(message.retrieval, `${path}.retrieval`, checks),
  };
}

/** What may be changed of a generation afterwards, too. Labels come once each, in their order. */
export function readChangeable(
  message: FieldsMessage,
  path: string,
  checks: FieldChecks,
): Pick<GenerationFields, "labels" | "rating" | "sessionId"> {
  const { sessionId, rating } = message;
  checks.text(`${path}.session_id`, sessionId, { maxCharacters: 100 });
  checkRange(`${path}.rating`, rating, 5, checks);
  const labels = [...new Set(message.labels)];
  if (message.labels.length > MAX_LABELS)
    checks.add(`${path}.labels`, `must be at most ${MAX_LABELS}, are ${message.labels.length}`);
  else
    for (const [i, label] of message.labels.entries())
      checks.text(`${path}.labels[${i}]`, label, { required: true, maxCharacters: 100 });
  return { sessionId, labels, rating };
}

function checkRange(field: string, value: number | undefined, max: number, checks: FieldChecks): void {
  if (value !== undefined && (value < 1 || value > max))
    checks.add(field, `must be 1 to ${max}, is ${value}`);
}

function readExamples(
  message: FieldsMessage,
  path: string,
  checks: FieldChecks,
): GenerationFields["retrievedExamples"] {
  const examples = message.retrievedExamples;
  if (examples.length > MAX_EXAMPLES) {
    checks.add(path, `must be at most ${MAX_EXAMPLES}, are ${examples.length}`);
    return [];
  }
  const ranks = new Set<number>();
  return examples
    .map(({ imageId, imagePath, caption, similarity, rank: given }, i) => {
      const rank = given === 0 ? i + 1 : given;
      if (imageId < 0n) checks.add(`${path}[${i}].image_id`, `must not be negative, is ${imageId}`);
      checks.text(`${path}[${i}].image_path`, imagePath, { maxCharacters: MAX_PATH_CHARACTERS });
      checks.text(`${path}[${i}].caption`, caption);
      checks.finite(`${path}[${i}].similarity`, similarity);
      if (rank < 1) checks.add(`${path}[${i}].rank`, `must not be negative, is ${rank}`);
      else if (ranks.has(rank))
        checks.add(`${path}[${i}].rank`, `must be of one example only, is ${rank} again`);
      ranks.add(rank);
      return { imageId, imagePath, caption, similarity, rank };
    })
    .toSorted((a, b) => a.rank - b.rank);
}

function readRetrieval(message: RetrievalMessage, path: string, checks: FieldChecks): Retrieval {
  const { $typeName: _name, $unknown: _unknown, threshold, ...retrieval } = message;
  checks.text(`${path}.query`, retrieval.query);
  checks.notNegative(`${path}.k`, retrieval.k);
  checks.finite(`${path}.threshold`, threshold);
  checks.text(`${path}.space_id`, retrieval.spaceId, { maxCharacters: 200 });
  checks.text(`${path}.method`, retrieval.method, { maxCharacters: 100 });
  checks.text(`${path}.index_name`, retrieval.indexName, { maxCharacters: 200 });
  checks.notNegative(`${path}.ef_search`, retrieval.efSearch);
  checks.notNegative(`${path}.probes`, retrieval.probes);
  checks.finite(`${path}.expected_recall`, retrieval.expectedRecall);
  if (retrieval.expectedRecall < 0 || retrieval.expectedRecall > 1)
    checks.add(`${path}.expected_recall`, `must be 0 to 1, is ${retrieval.expectedRecall}`);
  return { ...retrieval, threshold };
}
