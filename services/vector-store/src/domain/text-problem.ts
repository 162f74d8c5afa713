import type { JsonObject, JsonValue } from "./image.ts";

/** Longest text that has no limit of its own: 1 MiB of UTF-8. */
const MAX_TEXT_BYTES = 2 ** 20;
const MAX_METADATA_BYTES = 2 ** 20;

/** What only the database can tell of a text that full-text search looks in, as the end of a sentence that begins with its field. */
export const TOO_MANY_WORDS =
  "must have fewer different words: full-text search takes in at most 1 MiB of them and their places";

/**
 * Why PostgreSQL cannot keep this text, or it is too long, as the end of a sentence that begins with its field; undefined when it
 * can be kept.
 * @param limits.maxCharacters code points, as VARCHAR counts them
 */
export function textProblem(
  text: string,
  { required = false, maxCharacters }: { required?: boolean; maxCharacters?: number } = {},
): string | undefined {
  if (text === "") return required ? "must not be empty" : undefined;
  if (text.includes("\0")) return "must not contain NUL characters";
  if (!text.isWellFormed()) return "must be well-formed Unicode";
  if (maxCharacters !== undefined) {
    const characters = text.length <= maxCharacters ? text.length : [...text].length;
    return characters > maxCharacters
      ? `must be at most ${maxCharacters} characters, has ${characters}`
      : undefined;
  }
  // No text has more bytes than three for each of its units.
  const bytes = 3 * text.length <= MAX_TEXT_BYTES ? 0 : Buffer.byteLength(text);
  return bytes > MAX_TEXT_BYTES
    ? `must be at most ${MAX_TEXT_BYTES} bytes of UTF-8, has ${bytes}`
    : undefined;
}

/** Readers of protobuf's binary form stop at 100 messages inside each other; an object in an object takes three. */
const MAX_METADATA_LEVELS = 30;

/** Likewise of metadata. */
export function metadataProblem(metadata: JsonObject): string | undefined {
  if (isDeeper(metadata, MAX_METADATA_LEVELS)) return `must be at most ${MAX_METADATA_LEVELS} levels deep`;
  if (!isKeepable(metadata)) return "must hold well-formed text without NUL characters";
  const bytes = Buffer.byteLength(JSON.stringify(metadata));
  return bytes > MAX_METADATA_BYTES
    ? `must be at most ${MAX_METADATA_BYTES} bytes as JSON, has ${bytes}`
    : undefined;
}

function isDeeper(json: JsonValue, levels: number): boolean {
  if (typeof json !== "object" || json === null) return false;
  return levels === 0 || Object.values(json).some((value) => isDeeper(value, levels - 1));
}

function isKeepable(json: JsonValue): boolean {
  if (typeof json === "string") return json.isWellFormed() && !json.includes("\0");
  if (typeof json !== "object" || json === null) return true;
  return Object.entries(json).every(([key, value]) => isKeepable(key) && isKeepable(value));
}
