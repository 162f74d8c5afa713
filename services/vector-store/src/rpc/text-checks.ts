import type { FieldChecks } from "@kindred/rpc";
import type { JsonObject, JsonValue } from "../domain/image.ts";

const MAX_METADATA_BYTES = 2 ** 20;

/** As FieldChecks.text; and no half of a surrogate pair, which JSON can carry and no database can keep. */
export function checkText(
  checks: FieldChecks,
  field: string,
  value: string,
  limits?: { required?: boolean; maxCharacters?: number },
): void {
  checks.text(field, value, limits);
  if (!value.isWellFormed()) checks.add(field, "must be well-formed Unicode");
}

export function checkMetadata(checks: FieldChecks, field: string, metadata: JsonObject): void {
  if (!isKeepable(metadata)) checks.add(field, "must hold well-formed text without NUL characters");
  const bytes = Buffer.byteLength(JSON.stringify(metadata));
  if (bytes > MAX_METADATA_BYTES) {
    checks.add(field, `must be at most ${MAX_METADATA_BYTES} bytes as JSON, has ${bytes}`);
  }
}

function isKeepable(json: JsonValue): boolean {
  if (typeof json === "string") return json.isWellFormed() && !json.includes("\0");
  if (typeof json !== "object" || json === null) return true;
  return Object.entries(json).every(([key, value]) => isKeepable(key) && isKeepable(value));
}
