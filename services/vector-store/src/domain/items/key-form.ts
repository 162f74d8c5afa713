import type { KeyType } from "../layout.ts";
import { textProblem } from "../text-problem.ts";

export const MAX_KEY_CHARACTERS = 512;

const RANGES: Partial<Record<KeyType, { bits: number }>> = {
  smallint: { bits: 16 },
  integer: { bits: 32 },
  bigint: { bits: 64 },
};
const DIGITS = /^-?\d{1,19}$/;
const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

/** A key in the form in which the store gives it back, or why it is none: the end of a sentence that begins with its field. */
export function readKey(type: KeyType, text: string): { key: string } | { problem: string } {
  const problem = textProblem(text, { required: true, maxCharacters: MAX_KEY_CHARACTERS });
  if (problem !== undefined) return { problem };
  if (type === "text") return { key: text };
  if (type === "uuid") {
    const uuid = text.toLowerCase();
    return UUID.test(uuid) ? { key: uuid } : { problem: `must be a UUID, is ${JSON.stringify(text)}` };
  }
  const bits = RANGES[type]?.bits ?? 64;
  const value = DIGITS.test(text) ? BigInt(text) : undefined;
  return value !== undefined && BigInt.asIntN(bits, value) === value
    ? { key: String(value) }
    : { problem: `must be an integer of ${bits} bits, is ${JSON.stringify(text)}` };
}
