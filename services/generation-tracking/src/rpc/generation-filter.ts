import { toJson } from "@bufbuild/protobuf";
import { ValueSchema, type Timestamp, type Value } from "@bufbuild/protobuf/wkt";
import {
  OutputState as ProtoOutputState,
  type ConfigCondition as ConditionMessage,
  type GenerationFilter as FilterMessage,
  type GenerationStatus as ProtoStatus,
  type NumberRange as RangeMessage,
} from "@kindred/contracts/generation-tracking/v1";
import type { FieldChecks } from "@kindred/rpc";
import type { ConfigCondition, GenerationFilter, NumberRange } from "../domain/generation-filter.ts";
import type { GenerationStatus, JsonValue, OutputState } from "../domain/generation.ts";
import { toDomainOutputState, toDomainStatus } from "./messages.ts";
import { microsOf } from "./timestamps.ts";

const MAX_CHARACTERS = 1_000;
const MAX_VALUES = 1_000;
const MAX_CONDITIONS = 16;
const MAX_PATH = 10;

/** The domain's filter of the message at `path`, an empty one where there is no message; what is wrong with it is added to `checks`. */
export function readGenerationFilter(
  message: FilterMessage | undefined,
  path: string,
  checks: FieldChecks,
): GenerationFilter {
  if (!message) return {};
  const at = (field: string): string => (path === "" ? field : `${path}.${field}`);
  const text = (field: string, value: string): string | undefined => {
    checks.text(at(field), value, { maxCharacters: MAX_CHARACTERS });
    return value || undefined;
  };
  const texts = (field: string, values: readonly string[]): readonly string[] | undefined =>
    readTexts(at(field), values, checks);
  const range = (field: string, value: RangeMessage | undefined): NumberRange | undefined =>
    readRange(at(field), value, checks);
  return {
    status: readStatuses(at("status"), message.status, checks),
    promptContains: text("prompt_contains", message.promptContains),
    promptWords: text("prompt_words", message.promptWords),
    ...readTimes(message, at, checks),
    modelName: texts("model_name", message.modelName),
    modelHash: texts("model_hash", message.modelHash),
    sampler: texts("sampler", message.sampler),
    sessionId: text("session_id", message.sessionId),
    batchId: text("batch_id", message.batchId),
    parentId: readId(at("parent_id"), message.parentId, checks),
    labels: texts("labels", message.labels),
    rating: range("rating", message.rating),
    seed: message.seed,
    numInferenceSteps: range("num_inference_steps", message.numInferenceSteps),
    guidanceScale: range("guidance_scale", message.guidanceScale),
    generationTimeMs: range("generation_time_ms", message.generationTimeMs),
    memoryUsageMb: range("memory_usage_mb", message.memoryUsageMb),
    width: range("width", message.width),
    height: range("height", message.height),
    modelConfig: readConfig(at("model_config"), message.modelConfig, checks),
    outputPathPrefix: text("output_path_prefix", message.outputPathPrefix),
    errorContains: text("error_contains", message.errorContains),
    imageId: readId(at("image_id"), message.imageId, checks),
    negativePromptContains: text("negative_prompt_contains", message.negativePromptContains),
    outputState: readOutputState(at("output_state"), message.outputState, checks),
  };
}

/** Of a filter, or of a list's request, which has two of its own. */
export function readTimes(
  {
    createdAfter,
    createdBefore,
  }: { createdAfter?: Timestamp | undefined; createdBefore?: Timestamp | undefined },
  at: (field: string) => string,
  checks: FieldChecks,
): Pick<GenerationFilter, "createdAfterMicros" | "createdBeforeMicros"> {
  const micros = (field: string, value: Timestamp | undefined): bigint | undefined => {
    return value && checks.time(at(field), value) ? microsOf(value) : undefined;
  };
  const createdAfterMicros = micros("created_after", createdAfter);
  const createdBeforeMicros = micros("created_before", createdBefore);
  if (
    createdAfterMicros !== undefined &&
    createdBeforeMicros !== undefined &&
    createdAfterMicros > createdBeforeMicros
  ) {
    checks.add(at("created_after"), "must not be later than created_before");
  }
  return { createdAfterMicros, createdBeforeMicros };
}

function readStatuses(
  field: string,
  statuses: readonly ProtoStatus[],
  checks: FieldChecks,
): GenerationStatus[] | undefined {
  if (statuses.length === 0) return undefined;
  return statuses.flatMap((status, i) => {
    const known = toDomainStatus(status);
    if (!known) checks.add(`${field}[${i}]`, `must be a known GenerationStatus, is ${status}`);
    return known ?? [];
  });
}

function readTexts(
  field: string,
  values: readonly string[],
  checks: FieldChecks,
): readonly string[] | undefined {
  if (values.length === 0) return undefined;
  if (values.length > MAX_VALUES) checks.add(field, `must be at most ${MAX_VALUES}, are ${values.length}`);
  else
    for (const [i, value] of values.entries())
      checks.text(`${field}[${i}]`, value, { required: true, maxCharacters: MAX_CHARACTERS });
  return values;
}

function readRange(
  field: string,
  range: RangeMessage | undefined,
  checks: FieldChecks,
): NumberRange | undefined {
  if (!range) return undefined;
  const { min, max } = range;
  checks.finite(`${field}.min`, min);
  checks.finite(`${field}.max`, max);
  if (min !== undefined && max !== undefined && min > max)
    checks.add(`${field}.min`, `must not be greater than max, is ${min} and max is ${max}`);
  return { min, max };
}

function readId(field: string, id: bigint | undefined, checks: FieldChecks): bigint | undefined {
  if (id !== undefined && id <= 0n) checks.add(field, `must be at least 1, is ${id}`);
  return id;
}

function readOutputState(
  field: string,
  state: ProtoOutputState,
  checks: FieldChecks,
): OutputState | undefined {
  if (state === ProtoOutputState.UNSPECIFIED) return undefined;
  const known = toDomainOutputState(state);
  if (!known) checks.add(field, `must be a known OutputState, is ${state}`);
  return known;
}

function readConfig(
  field: string,
  conditions: readonly ConditionMessage[],
  checks: FieldChecks,
): ConfigCondition[] | undefined {
  if (conditions.length === 0) return undefined;
  if (conditions.length > MAX_CONDITIONS) {
    checks.add(field, `must be at most ${MAX_CONDITIONS}, are ${conditions.length}`);
    return undefined;
  }
  return conditions.map(({ path, equals }, i) => {
    const here = `${field}[${i}]`;
    if (path.length === 0 || path.length > MAX_PATH)
      checks.add(`${here}.path`, `must have 1 to ${MAX_PATH} members, has ${path.length}`);
    for (const [j, name] of path.entries()) {
      checks.text(`${here}.path[${j}]`, name, { required: true, maxCharacters: MAX_CHARACTERS });
      if (!name.isWellFormed()) checks.add(`${here}.path[${j}]`, "must be well-formed Unicode");
    }
    return { path, equals: equals && readJson(`${here}.equals`, equals, checks) };
  });
}

/** What JSONB cannot hold cannot be equal to anything in it. */
function readJson(field: string, value: Value, checks: FieldChecks): JsonValue | undefined {
  if (value.kind.case === undefined) {
    checks.add(field, "must have a value");
    return undefined;
  }
  let json: JsonValue;
  try {
    json = toJson(ValueSchema, value) as JsonValue;
  } catch {
    checks.add(field, "must not contain NaN or infinite numbers");
    return undefined;
  }
  // JSON.stringify writes a NUL and half of a surrogate pair in this way, and a backslash before the letter u as two of them.
  const text = JSON.stringify(json);
  if (/(?<!\\)(?:\\\\)*\\u0000/.test(text)) checks.add(field, "must not contain NUL characters");
  if (/(?<!\\)(?:\\\\)*\\ud[89a-f]/.test(text)) checks.add(field, "must be well-formed Unicode");
  return json;
}
