import { isKindredError, KindredError } from "@kindred/errors";
import type { Command } from "commander";
import { translated } from "../clients.ts";

/** Options of fields that are called otherwise; others have the field's name, such as --model-name. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  batch_id: ["--batch"],
  created_after: ["--since"],
  created_before: ["--until"],
  error_message: ["--error"],
  generation_time_ms: ["--time-ms"],
  guidance_scale: ["--guidance"],
  idempotency_key: ["--key"],
  image_id: ["--image"],
  labels: ["--label", "--set"],
  add_labels: ["--add"],
  remove_labels: ["--remove"],
  memory_usage_mb: ["--memory-mb"],
  model_config: ["--model", "--config"],
  negative_prompt_contains: ["--negative-contains"],
  num_inference_steps: ["--steps"],
  output_path_prefix: ["--output"],
  outputs: ["--output"],
  parent_id: ["--parent"],
  prompt_contains: ["--contains"],
  prompt_words: ["--words"],
  session_id: ["--session"],
};

/**
 * What the work gives.
 * @throws KindredError that names the command's options where a service names the fields that they fill; its violations keep the fields.
 */
export async function namingOptions<T>(command: Command, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const refused = await translated(() => Promise.reject(error)).catch((reason: unknown) => reason);
    if (!isKindredError(refused) || refused.kind !== "invalid-argument" || refused.violations.length === 0)
      throw error;
    const message = refused.violations
      .map(({ field, description }) => `${optionOf(command, field)} ${withOptions(command, description)}`)
      .join("; ");
    throw new KindredError("invalid-argument", message, { violations: refused.violations, cause: error });
  }
}

/** "generation.labels[0]" is --label where the command has it, else the field as it is. */
function optionOf(command: Command, field: string): string {
  const [, name = ""] = /^(?:generation\.|filter\.)?([a-z0-9_]+)/.exec(field) ?? [];
  const possible = OPTIONS[name] ?? [`--${name.replaceAll("_", "-")}`];
  return possible.find((option) => command.options.some(({ long }) => long === option)) ?? field;
}

/** Descriptions name other fields: "must not be later than created_before". */
function withOptions(command: Command, description: string): string {
  return description.replace(/\b[a-z]+(?:_[a-z]+)+\b/g, (name) => optionOf(command, name));
}
