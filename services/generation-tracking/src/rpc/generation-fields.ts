import {
  GenerationStatus as ProtoStatus,
  type GenerationFields as FieldsMessage,
} from "@kindred/contracts/generation-tracking/v1";
import { MAX_TEXT_BYTES, type FieldChecks } from "@kindred/rpc";
import type { GenerationFields, JsonValue } from "../domain/generation.ts";
import { toDomainStatus } from "./messages.ts";

const MAX_PATH_CHARACTERS = 500;
const MAX_EXAMPLES = 1000;

/** The domain's fields of the message at `path`; what is wrong with them is added to `checks`. */
export function readGenerationFields(
  message: FieldsMessage,
  path: string,
  checks: FieldChecks,
): GenerationFields {
  const status = message.status === ProtoStatus.UNSPECIFIED ? "completed" : toDomainStatus(message.status);
  if (!status) {
    checks.add(`${path}.status`, `must be a known GenerationStatus, is ${message.status}`);
  } else if (message.errorMessage !== "" && status !== "failed") {
    checks.add(`${path}.error_message`, "must be empty unless status is GENERATION_STATUS_FAILED");
  }
  checks.text(`${path}.prompt`, message.prompt, { required: true });
  checks.text(`${path}.augmented_prompt`, message.augmentedPrompt);
  checks.text(`${path}.output_path`, message.outputPath, { maxCharacters: MAX_PATH_CHARACTERS });
  checks.notNegative(`${path}.num_inference_steps`, message.numInferenceSteps);
  checks.finite(`${path}.guidance_scale`, message.guidanceScale);
  checks.notNegative(`${path}.generation_time_ms`, message.generationTimeMs);
  checks.notNegative(`${path}.memory_usage_mb`, message.memoryUsageMb);
  checks.text(`${path}.error_message`, message.errorMessage);
  if (message.modelConfig !== undefined)
    checkModelConfig(message.modelConfig, `${path}.model_config`, checks);
  return {
    prompt: message.prompt,
    augmentedPrompt: message.augmentedPrompt,
    outputPath: message.outputPath,
    seed: message.seed,
    numInferenceSteps: message.numInferenceSteps,
    guidanceScale: message.guidanceScale,
    generationTimeMs: message.generationTimeMs,
    memoryUsageMb: message.memoryUsageMb,
    modelConfig: message.modelConfig,
    retrievedExamples: readExamples(message, `${path}.retrieved_examples`, checks),
    status: status ?? "completed",
    errorMessage: message.errorMessage,
  };
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
  return examples.map(({ imageId, imagePath, caption, similarity }, i) => {
    if (imageId < 0n) checks.add(`${path}[${i}].image_id`, `must not be negative, is ${imageId}`);
    checks.text(`${path}[${i}].image_path`, imagePath, { maxCharacters: MAX_PATH_CHARACTERS });
    checks.text(`${path}[${i}].caption`, caption);
    checks.finite(`${path}[${i}].similarity`, similarity);
    return { imageId, imagePath, caption, similarity };
  });
}

/** What JSONB cannot keep is refused here, with the path of the value: NaN, infinities and NUL characters. */
function checkModelConfig(
  config: NonNullable<FieldsMessage["modelConfig"]>,
  path: string,
  checks: FieldChecks,
): void {
  checkJson(config, path, checks);
  const bytes = Buffer.byteLength(JSON.stringify(config));
  if (bytes > MAX_TEXT_BYTES)
    checks.add(path, `must be at most ${MAX_TEXT_BYTES} bytes of JSON, has ${bytes}`);
}

/** Recursion is bounded: protobuf refuses messages that are nested deeper than 100. */
function checkJson(value: JsonValue, path: string, checks: FieldChecks): void {
  if (typeof value === "number") {
    checks.finite(path, value);
  } else if (typeof value === "string") {
    if (value.includes("\0")) checks.add(path, "must not contain NUL characters");
  } else if (Array.isArray(value)) {
    for (const [i, entry] of value.entries()) checkJson(entry, `${path}[${i}]`, checks);
  } else if (value !== null && typeof value === "object") {
    for (const [key, entry] of Object.entries(value)) {
      if (key.includes("\0")) checks.add(path, "must not contain NUL characters in its keys");
      else checkJson(entry, `${path}.${key}`, checks);
    }
  }
}
