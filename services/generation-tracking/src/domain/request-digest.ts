import { createHash } from "node:crypto";
import type { GenerationFields, JsonValue } from "./generation.ts";

type Digestible =
  JsonValue | bigint | undefined | readonly Digestible[] | { readonly [key: string]: Digestible };

/**
 * SHA-256 of what a caller asked to record. Equal requests have equal digests, whatever the order in which their
 * maps list their keys.
 */
export function requestDigest(fields: GenerationFields): Uint8Array {
  return createHash("sha256")
    .update(
      canonical({
        ...fields,
        retrievedExamples: fields.retrievedExamples.map((example) => ({ ...example })),
      }),
    )
    .digest();
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
