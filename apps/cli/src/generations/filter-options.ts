import type { MessageInitShape } from "@bufbuild/protobuf";
import { ValueSchema, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import {
  OutputState,
  type ConfigConditionSchema,
  type GenerationFilterSchema,
  type NumberRangeSchema,
} from "@kindred/contracts/generation-tracking/v1";
import { InvalidArgumentError, Option, type Command } from "commander";
import { dateOption, repeatable } from "../commands/parse.ts";
import { idArgument, seedOption } from "./arguments.ts";
import { STATUSES, type StatusName } from "./status.ts";

type FilterInit = MessageInitShape<typeof GenerationFilterSchema>;
type RangeInit = MessageInitShape<typeof NumberRangeSchema>;
type ConditionInit = MessageInitShape<typeof ConfigConditionSchema>;

const OUTPUT_STATES = {
  kept: OutputState.KEPT,
  missing: OutputState.MISSING,
  changed: OutputState.CHANGED,
} as const;

/** Which generations, as options. */
export interface FilterOptions {
  status?: readonly StatusName[];
  contains?: string;
  words?: string;
  since?: Date;
  until?: Date;
  modelName?: readonly string[];
  modelHash?: readonly string[];
  sampler?: readonly string[];
  session?: string;
  batch?: string;
  parent?: bigint;
  label?: readonly string[];
  rating?: RangeInit;
  seed?: bigint;
  steps?: RangeInit;
  guidance?: RangeInit;
  timeMs?: RangeInit;
  memoryMb?: RangeInit;
  width?: RangeInit;
  height?: RangeInit;
  config?: readonly ConditionInit[];
  output?: string;
  errorContains?: string;
  image?: bigint;
  negativeContains?: string;
  outputState?: keyof typeof OUTPUT_STATES;
}

/** What is said about these options below a command's help. */
export const FILTER_HELP = `
All conditions that are given must hold. A range is 5, 3..10, 3.. or ..10; .. stands for any number. --config takes a path of members, e.g.
scheduler.name=ddim, steps=30 or 'tags=["a"]'; without a value the member is there, whatever it is. A path whose names have dots is a JSON list.`;

const SEVERAL = "; may be given several times, and one of them holds";

/** Adds the options of FilterOptions. */
export function addFilterOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--status <status>", `only those that ended so, or run${SEVERAL}`).argParser(statusOption),
    )
    .option("--contains <text>", "only those whose prompt contains this, in any case")
    .option("--words <query>", "only those whose prompt has these words, e.g. '\"red kite\" or boat -night'")
    .option(
      "--since <time>",
      "only those recorded since, e.g. 2026-07-01 or 2026-07-01T12:00:00Z",
      dateOption,
    )
    .option("--until <time>", "only those recorded before", dateOption)
    .option("--model-name <name>", `only those of this model${SEVERAL}`, repeatable)
    .option("--model-hash <hash>", `only those of a model with this hash${SEVERAL}`, repeatable)
    .option("--sampler <name>", `only those of this sampler${SEVERAL}`, repeatable)
    .option("--session <id>", "only those of this session")
    .option("--batch <id>", "only those of this batch")
    .option("--parent <id>", "only variations of this generation", idArgument)
    .option(
      "--label <label>",
      "only those with this label; may be given several times, and all hold",
      repeatable,
    )
    .option("--rating <range>", "only those rated so, e.g. 4..5", rangeOption)
    .option("--seed <number>", "only those of this seed", seedOption)
    .option("--steps <range>", "only those with so many denoising steps", rangeOption)
    .option("--guidance <range>", "only those of this guidance scale", rangeOption)
    .option("--time-ms <range>", "only those that took so long", rangeOption)
    .option("--memory-mb <range>", "only those of this peak memory", rangeOption)
    .option("--width <range>", "only those so wide", rangeOption)
    .option("--height <range>", "only those so high", rangeOption)
    .option(
      "--config <path[=value]>",
      "a member of the model's settings; may be given several times, and all hold",
      configOption,
    )
    .option("--output <prefix>", "only those whose output path begins so")
    .option("--error-contains <text>", "only those whose error contains this, in any case")
    .option("--image <id>", "only those that retrieved this image", idArgument)
    .option("--negative-contains <text>", "only those whose negative prompt contains this, in any case")
    .addOption(
      new Option("--output-state <state>", "only those with an output in this state").choices(
        Object.keys(OUTPUT_STATES),
      ),
    );
}

/** The filter that these options say. */
export function filterOf(options: FilterOptions): FilterInit {
  const { since, until, parent, seed, image, outputState } = options;
  return {
    status: (options.status ?? []).map((status) => STATUSES[status]),
    promptContains: options.contains ?? "",
    promptWords: options.words ?? "",
    ...(since && { createdAfter: timestampFromDate(since) }),
    ...(until && { createdBefore: timestampFromDate(until) }),
    modelName: [...(options.modelName ?? [])],
    modelHash: [...(options.modelHash ?? [])],
    sampler: [...(options.sampler ?? [])],
    sessionId: options.session ?? "",
    batchId: options.batch ?? "",
    ...(parent !== undefined && { parentId: parent }),
    labels: [...(options.label ?? [])],
    ...(options.rating && { rating: options.rating }),
    ...(seed !== undefined && { seed }),
    ...(options.steps && { numInferenceSteps: options.steps }),
    ...(options.guidance && { guidanceScale: options.guidance }),
    ...(options.timeMs && { generationTimeMs: options.timeMs }),
    ...(options.memoryMb && { memoryUsageMb: options.memoryMb }),
    ...(options.width && { width: options.width }),
    ...(options.height && { height: options.height }),
    modelConfig: [...(options.config ?? [])],
    outputPathPrefix: options.output ?? "",
    errorContains: options.errorContains ?? "",
    ...(image !== undefined && { imageId: image }),
    negativePromptContains: options.negativeContains ?? "",
    ...(outputState && { outputState: OUTPUT_STATES[outputState] }),
  };
}

function statusOption(raw: string, earlier: readonly StatusName[] = []): readonly StatusName[] {
  if (!Object.hasOwn(STATUSES, raw))
    throw new InvalidArgumentError(`Allowed choices are ${Object.keys(STATUSES).join(", ")}.`);
  return [...earlier, raw as StatusName];
}

/** "5", "3..10", "3..", "..10", ".." */
export function rangeOption(raw: string): RangeInit {
  const [low = "", high] = raw.trim().split("..");
  const bounds = high === undefined ? [low, low] : [low, high];
  const [min, max] = bounds.map((text) => (text === "" ? undefined : Number(text)));
  const isWrong =
    raw.trim().split("..").length > 2 ||
    (high === undefined && low === "") ||
    [min, max].some((bound) => bound !== undefined && !Number.isFinite(bound)) ||
    (min !== undefined && max !== undefined && min > max);
  if (isWrong) throw new InvalidArgumentError("It must be a number or a range such as 3..10, 3.. or ..10.");
  return { ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
}

export function configOption(raw: string, earlier: readonly ConditionInit[] = []): readonly ConditionInit[] {
  const isList = raw.startsWith("[");
  const found = isList ? raw.indexOf("]=") + 1 : raw.indexOf("=");
  const end = found < 0 || (isList && found === 0) ? raw.length : found;
  const [pathText, rest] = [raw.slice(0, end), raw.slice(end)];
  const path = pathText.startsWith("[") ? listOf(pathText) : pathText.split(".");
  if (!path || path.length === 0 || path.some((name) => name === ""))
    throw new InvalidArgumentError(
      'It must be a path of members, e.g. scheduler.name=ddim or ["a.b","c"]=1.',
    );
  return [
    ...earlier,
    rest === "" ? { path } : { path, equals: fromJson(ValueSchema, valueOf(rest.slice(1))) },
  ];
}

function listOf(text: string): string[] | undefined {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) && list.every((name) => typeof name === "string") ? list : undefined;
  } catch {
    return undefined;
  }
}

/** JSON where it is some, else the text as it is. */
function valueOf(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
}
