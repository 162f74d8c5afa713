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
  const descend = (path: string, ofLeft: JsonValue | undefined, ofRight: JsonValue | undefined): void => {
    const [leftMembers, rightMembers] = [membersOf(ofLeft), membersOf(ofRight)];
    // Where one of them lacks the object, its members are what it lacks; an empty object is a value.
    if ((leftMembers ?? ofLeft === undefined) && (rightMembers ?? ofRight === undefined)) {
      for (const key of keysOf(leftMembers, rightMembers)) {
        descend(memberPath(path, key), ownMember(leftMembers, key), ownMember(rightMembers, key));
      }
    } else compare(path, ofLeft, ofRight);
  };

  const fieldsOfRight = settingsOf(right);
  settingsOf(left).forEach(([path, value], i) => compare(path, value, fieldsOfRight[i]?.[1]));
  descend("model_config", left.modelConfig, right.modelConfig);
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

/** The members of an object that has some. */
function membersOf(value: JsonValue | undefined): JsonObject | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return Object.keys(value).length > 0 ? value : undefined;
}

/** Not what objects inherit, e.g. `constructor`. */
function ownMember(object: JsonObject | undefined, key: string): JsonValue | undefined {
  return object && Object.hasOwn(object, key) ? object[key] : undefined;
}

function keysOf(...objects: (JsonObject | undefined)[]): string[] {
  return [...new Set(objects.flatMap((object) => Object.keys(object ?? {})))].toSorted();
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
  if (typeof left === "object" && left !== null) {
    if (typeof right !== "object" || right === null || Array.isArray(right)) return false;
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
