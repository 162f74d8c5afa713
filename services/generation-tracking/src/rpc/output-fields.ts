import type { OutputFile as OutputMessage } from "@kindred/contracts/generation-tracking/v1";
import type { FieldChecks } from "@kindred/rpc";
import type { GenerationFields, OutputFile } from "../domain/generation.ts";
import { toDomainOutputState } from "./messages.ts";
import { microsOf } from "./timestamps.ts";

export const MAX_PATH_CHARACTERS = 500;
const MAX_OUTPUTS = 100;
const SHA256_BYTES = 32;

/**
 * The files of a message that has output_path and outputs. One that has only the former has one output.
 * @param prefix of the fields' paths, e.g. "generation."
 */
export function readOutputs(
  message: { outputPath: string; outputs: readonly OutputMessage[] },
  prefix: string,
  checks: FieldChecks,
): Pick<GenerationFields, "outputPath" | "outputs"> {
  const { outputPath } = message;
  checks.text(`${prefix}output_path`, outputPath, { maxCharacters: MAX_PATH_CHARACTERS });
  if (message.outputs.length > MAX_OUTPUTS) {
    checks.add(`${prefix}outputs`, `must be at most ${MAX_OUTPUTS}, are ${message.outputs.length}`);
    return { outputPath, outputs: [] };
  }
  const [first] = message.outputs;
  if (!first) return { outputPath, outputs: outputPath === "" ? [] : [unseen(outputPath)] };
  if (outputPath !== "" && outputPath !== first.path)
    checks.add(`${prefix}output_path`, "must be empty or the path of the first of outputs");
  const outputs = message.outputs.map((output, i) => readOutput(output, `${prefix}outputs[${i}]`, checks));
  return { outputPath: first.path, outputs };
}

function unseen(path: string): OutputFile {
  return { path, sizeBytes: undefined, sha256: undefined, state: "unknown", verifiedAtMicros: undefined };
}

function readOutput(message: OutputMessage, path: string, checks: FieldChecks): OutputFile {
  const { sizeBytes, sha256, verifiedAt } = message;
  checks.text(`${path}.path`, message.path, { required: true, maxCharacters: MAX_PATH_CHARACTERS });
  if (sizeBytes !== undefined && sizeBytes < 0n)
    checks.add(`${path}.size_bytes`, `must not be negative, is ${sizeBytes}`);
  if (sha256.length !== 0 && sha256.length !== SHA256_BYTES)
    checks.add(`${path}.sha256`, `must be ${SHA256_BYTES} bytes or none, is ${sha256.length}`);
  const state = toDomainOutputState(message.state);
  if (!state) checks.add(`${path}.state`, `must be a known OutputState, is ${message.state}`);
  checks.time(`${path}.verified_at`, verifiedAt);
  return {
    path: message.path,
    sizeBytes,
    sha256: sha256.length === 0 ? undefined : sha256,
    state: state ?? "unknown",
    verifiedAtMicros: verifiedAt && microsOf(verifiedAt),
  };
}
