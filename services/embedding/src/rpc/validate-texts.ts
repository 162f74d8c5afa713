import { invalidFields, type FieldViolation } from "@kindred/errors";

export const MAX_TEXTS = 10_000;
export const MAX_TEXT_BYTES = 1024 * 1024;
/** More bad texts than this are not worth naming one by one. */
const MAX_VIOLATIONS = 10;

/** @throws KindredError invalid-argument naming `texts`, or each text that is too long (the first ten). */
export function validateTexts(texts: readonly string[]): void {
  if (texts.length === 0) throw invalidFields([emptyTexts()]);
  validateStreamTexts(texts);
}

function emptyTexts(): FieldViolation {
  return { field: "texts", description: `must have 1 to ${MAX_TEXTS} texts, has 0: give at least one text` };
}

/**
 * The same for one message of a stream, which may be empty.
 * @param message its number in the stream, for the error.
 */
export function validateStreamTexts(texts: readonly string[], message?: number): void {
  const where = message === undefined ? "" : ` (message ${message} of the stream)`;
  if (texts.length > MAX_TEXTS) {
    const least = message === undefined ? 1 : 0;
    const description = `must have ${least} to ${MAX_TEXTS} texts, has ${texts.length}: split the request${where}`;
    throw invalidFields([{ field: "texts", description }]);
  }
  const violations: FieldViolation[] = [];
  for (const [i, text] of texts.entries()) {
    // A UTF-16 unit is three bytes of UTF-8 at most: short texts need no counting.
    if (text.length * 3 <= MAX_TEXT_BYTES) continue;
    const bytes = Buffer.byteLength(text);
    if (bytes <= MAX_TEXT_BYTES) continue;
    violations.push({
      field: `texts[${i}]`,
      description: `must be at most ${MAX_TEXT_BYTES} bytes of UTF-8, has ${bytes}: only its first tokens would be used, so cut it${where}`,
    });
    if (violations.length === MAX_VIOLATIONS) break;
  }
  if (violations.length > 0) throw invalidFields(violations);
}
