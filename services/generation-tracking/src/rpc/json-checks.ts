import { MAX_TEXT_BYTES, type FieldChecks } from "@kindred/rpc";
import type { JsonObject, JsonValue } from "../domain/generation.ts";

/**
 * What JSONB cannot keep is refused, with the path of the value: NaN, infinities, NUL characters and halves of surrogate pairs; and more than 1 MiB
 * of it.
 */
export function checkJsonObject(json: JsonObject, path: string, checks: FieldChecks): void {
  checkJson(json, path, checks);
  const bytes = Buffer.byteLength(JSON.stringify(json));
  if (bytes > MAX_TEXT_BYTES)
    checks.add(path, `must be at most ${MAX_TEXT_BYTES} bytes of JSON, has ${bytes}`);
}

/** Recursion is bounded: protobuf refuses messages that are nested deeper than 100. */
function checkJson(value: JsonValue, path: string, checks: FieldChecks): void {
  if (typeof value === "number") {
    checks.finite(path, value);
  } else if (typeof value === "string") {
    if (value.includes("\0")) checks.add(path, "must not contain NUL characters");
    if (!value.isWellFormed()) checks.add(path, "must be well-formed Unicode");
  } else if (Array.isArray(value)) {
    for (const [i, entry] of value.entries()) checkJson(entry, `${path}[${i}]`, checks);
  } else if (value !== null && typeof value === "object") {
    for (const [key, entry] of Object.entries(value)) {
      if (key.includes("\0")) checks.add(path, "must not contain NUL characters in its keys");
      else if (!key.isWellFormed()) checks.add(path, "must be well-formed Unicode in its keys");
      else checkJson(entry, `${path}.${key}`, checks);
    }
  }
}
