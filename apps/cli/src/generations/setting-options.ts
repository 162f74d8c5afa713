import type { JsonObject, MessageInitShape } from "@bufbuild/protobuf";
import type { GenerationFieldsSchema } from "@kindred/contracts/generation-tracking/v1";
import type { Command } from "commander";
import { integerOption, jsonOption, MAX_INT32, numberOption, repeatable } from "../commands/parse.ts";
import { idArgument, ratingOption, seedOption } from "./arguments.ts";

type FieldsInit = MessageInitShape<typeof GenerationFieldsSchema>;

/** What is known of a generation from its beginning, as options. */
export interface SettingOptions {
  prompt: string;
  augmentedPrompt?: string;
  negativePrompt?: string;
  seed?: bigint;
  steps?: number;
  guidance?: number;
  sampler?: string;
  width?: number;
  height?: number;
  model?: JsonObject;
  modelName?: string;
  modelHash?: string;
  batch?: string;
  parent?: bigint;
  session?: string;
  label?: readonly string[];
  rating?: number;
}

const MAX_PIXELS = 65_536;

/** Adds the options of SettingOptions. */
export function addSettingOptions(command: Command): Command {
  return command
    .requiredOption("-p, --prompt <text>", "what was asked for")
    .option("--augmented-prompt <text>", "the prompt as the model got it")
    .option("--negative-prompt <text>", "what was not to be in the result")
    .option("--seed <number>", "random seed", seedOption)
    .option("--steps <count>", "denoising steps", integerOption(0, MAX_INT32))
    .option("--guidance <scale>", "classifier-free guidance scale", numberOption(-1e9, 1e9))
    .option("--sampler <name>", 'e.g. "euler_a"')
    .option("--width <pixels>", "width of the result", integerOption(1, MAX_PIXELS))
    .option("--height <pixels>", "height of the result", integerOption(1, MAX_PIXELS))
    .option("--model <json>", "the model and its settings, a JSON object", jsonOption)
    .option("--model-name <name>", 'name of the model (default: member "model" or "name" of --model)')
    .option("--model-hash <hash>", "hash of its weights")
    .option("--batch <id>", "what was made together has the same one")
    .option("--parent <id>", "the generation that this one varies", idArgument)
    .option("--session <id>", "the session that it belongs to")
    .option("--label <label>", "a label; may be given several times", repeatable)
    .option("--rating <1-5>", "how good it is", ratingOption);
}

/** The fields of a request that these options say. */
export function settingFields(options: SettingOptions) {
  return {
    prompt: options.prompt,
    augmentedPrompt: options.augmentedPrompt ?? "",
    negativePrompt: options.negativePrompt ?? "",
    sampler: options.sampler ?? "",
    modelName: options.modelName ?? "",
    modelHash: options.modelHash ?? "",
    batchId: options.batch ?? "",
    sessionId: options.session ?? "",
    labels: [...(options.label ?? [])],
    ...(options.seed !== undefined && { seed: options.seed }),
    ...(options.steps !== undefined && { numInferenceSteps: options.steps }),
    ...(options.guidance !== undefined && { guidanceScale: options.guidance }),
    ...(options.width !== undefined && { width: options.width }),
    ...(options.height !== undefined && { height: options.height }),
    ...(options.model !== undefined && { modelConfig: options.model }),
    ...(options.parent !== undefined && { parentId: options.parent }),
    ...(options.rating !== undefined && { rating: options.rating }),
  } satisfies FieldsInit;
}
