import type { Generation, JsonObject, JsonValue } from "../generation.ts";

/** A setting of which two generations have different values; undefined where one has none. */
export interface SettingDifference {
  /** E.g. "seed" or "model_config.scheduler.name". */
  path: string;
  left: JsonValue | undefined;
  right: JsonValue | undefined;
}

export interface SettingsDiff {
  /** Fields in the contract's order, then members of model_config in the alphabet's. */
  differences: SettingDifference[];
  /** Settings that both have, with the same value. */
  equal: number;
}

type Setting = readonly [path: string, value: JsonValue | undefined];

const LARGEST_EXACT = BigInt(Number.MAX_SAFE_INTEGER);

/**
 * How the settings of two generations differ: what went into them, and not what came of them (files, times, ratings). Members of model_config
 * are compared one by one down to values that are no objects; lists are values.
 */
export function diffSettings(left: Generation, right: Generation): SettingsDiff {
  const differences: SettingDifference[] = [];
  let equal = 0;
  const compare = (path: string, ofLeft: JsonValue | undefined, ofRight: JsonValue | undefined): void => {
    if (ofLeft === undefined && ofRight === undefined) return;
    if (ofLeft !== undefined && ofRight !== undefined && sameJson(ofLeft, ofRight)) equal++;
    else differences.push({ path, left: ofLeft, right: ofRight });
  };
  const descend = (path: string, leftOnes: JsonObject, rightOnes: JsonObject): void => {
    for (const key of keysOf(leftOnes, rightOnes)) {
      const [ofLeft, ofRight] = [ownMember(leftOnes, key), ownMember(rightOnes, key)];
      const member = memberPath(path, key);
      // Where one of them lacks the object, its members are what it lacks. An object without members is a value.
      if (isObject(ofLeft) && isObject(ofRight) && !(isEmpty(ofLeft) && isEmpty(ofRight)))
        descend(member, ofLeft, ofRight);
      else if (ofLeft === undefined && isObject(ofRight) && !isEmpty(ofRight)) descend(member, {}, ofRight);
      else if (ofRight === undefined && isObject(ofLeft) && !isEmpty(ofLeft)) descend(member, ofLeft, {});
      else compare(member, ofLeft, ofRight);
    }
  };

  const fieldsOfRight = settingsOf(right);
  settingsOf(left).forEach(([path, value], i) => compare(path, value, fieldsOfRight[i]?.[1]));
  descend("model_config", left.modelConfig ?? {}, right.modelConfig ?? {});
  return { differences, equal };
}

/** In the contract's order. Empty texts are no values. */
function settingsOf(generation: Generation): Setting[] {
  const { retrieval } = generation;
  return [
    ["prompt", textOf(generation.prompt)],
    ["augmented_prompt", textOf(generation.augmentedPrompt)],
    ["seed", integerOf(generation.seed)],
    ["num_inference_steps", generation.numInferenceSteps],
    ["guidance_scale", generation.guidanceScale],
    ["negative_prompt", textOf(generation.negativePrompt)],
    ["sampler", textOf(generation.sampler)],
    ["width", generation.width],
    ["height", generation.height],
    ["model_name", textOf(generation.modelName)],
    ["model_hash", textOf(generation.modelHash)],
    ["retrieval.query", textOf(retrieval?.query)],
    ["retrieval.k", retrieval?.k || undefined],
    ["retrieval.threshold", retrieval?.threshold],
    ["retrieval.space_id", textOf(retrieval?.spaceId)],
    ["retrieval.method", textOf(retrieval?.method)],
    ["retrieval.index_name", textOf(retrieval?.indexName)],
    ["retrieval.ef_search", retrieval?.efSearch || undefined],
    ["retrieval.probes", retrieval?.probes || undefined],
  ];
}

function textOf(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

/** A number, or text where JSON's numbers are not exact, as protobuf's JSON has it. */
function integerOf(value: bigint | undefined): number | string | undefined {
  if (value === undefined) return undefined;
  return value >= -LARGEST_EXACT && value <= LARGEST_EXACT ? Number(value) : String(value);
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isEmpty(object: JsonObject): boolean {
  return Object.keys(object).length === 0;
}

/** Not what objects inherit, e.g. `constructor`. */
function ownMember(object: JsonObject, key: string): JsonValue | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function keysOf(left: JsonObject, right: JsonObject): string[] {
  return [...new Set([...Object.keys(left), ...Object.keys(right)])].toSorted();
}

/** A name that is no plain word stands in quotes, so that a dot in it is not taken for a step. */
function memberPath(parent: string, key: string): string {
  return `${parent}.${/^[\w-]+$/.test(key) ? key : JSON.stringify(key)}`;
}

function sameJson(left: JsonValue, right: JsonValue): boolean {
  if (Array.isArray(left)) {
    return (
      Array.isArray(right) &&
      left.length === right.length &&
      left.every((item, i) => sameJson(item, right[i] as JsonValue))
    );
  }
  if (isObject(left)) {
    if (!isObject(right)) return false;
    const keys = Object.keys(left);
    return (
      keys.length === Object.keys(right).length &&
      keys.every(
        (key) => Object.hasOwn(right, key) && sameJson(left[key] as JsonValue, right[key] as JsonValue),
      )
    );
  }
  return left === right;
}
