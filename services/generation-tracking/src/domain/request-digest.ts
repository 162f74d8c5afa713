import { createHash } from "node:crypto";
import type { GenerationFields, JsonValue, OutputFile } from "./generation.ts";
import { isBarePath } from "./output-files.ts";

type Digestible =
  JsonValue | bigint | undefined | readonly Digestible[] | { readonly [key: string]: Digestible };

/**
 * SHA-256 of what a caller asked to record. Equal requests have equal digests, whatever the order in which their
 * maps list their keys. What a request does not say is left out, so that a request of before a field was there has the digest that it had.
 */
export function requestDigest(fields: GenerationFields): Uint8Array {
  const { retrievedExamples, retrieval, outputs, labels, outputPath } = fields;
  return createHash("sha256")
    .update(
      canonical({
        prompt: fields.prompt,
        augmentedPrompt: fields.augmentedPrompt,
        outputPath,
        seed: fields.seed,
        numInferenceSteps: fields.numInferenceSteps,
        guidanceScale: fields.guidanceScale,
        generationTimeMs: fields.generationTimeMs,
        memoryUsageMb: fields.memoryUsageMb,
        modelConfig: fields.modelConfig,
        retrievedExamples: retrievedExamples.map(({ rank, ...example }, i) => ({
          ...example,
          rank: rank === i + 1 ? undefined : rank,
        })),
        status: fields.status,
        errorMessage: fields.errorMessage,
        negativePrompt: fields.negativePrompt || undefined,
        sampler: fields.sampler || undefined,
        width: fields.width,
        height: fields.height,
        modelName: fields.modelName || undefined,
        modelHash: fields.modelHash || undefined,
        batchId: fields.batchId || undefined,
        parentId: fields.parentId,
        sessionId: fields.sessionId || undefined,
        labels: labels.length > 0 ? labels : undefined,
        rating: fields.rating,
        retrieval: retrieval && { ...retrieval },
        outputs:
          outputs.length === 0 || isBarePath(outputs, outputPath) ? undefined : outputs.map(digestible),
      }),
    )
    .digest();
}

function digestible({ sha256, ...output }: OutputFile): Digestible {
  return { ...output, sha256: sha256 && Buffer.from(sha256).toString("hex") };
}

/** JSON with sorted keys; 64-bit integers are told apart from texts and numbers, absent values are left out. */
function canonical(value: Digestible): string {
  if (typeof value === "bigint") return `${value}n`;
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value as Record<string, Digestible>)
      .filter(([, entry]) => entry !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, entry]) => `${JSON.stringify(key)}:${canonical(entry)}`);
    return `{${entries.join(",")}}`;
  }
  return JSON.stringify(value);
}
