import { InvalidArgumentError } from "commander";
import { integerOption } from "../commands/parse.ts";

const GREATEST_ID = 2n ** 63n - 1n;

/** An id of a generation, as `list` shows it. */
export function idArgument(raw: string): bigint {
  return integer64(raw, 1n, "It must be the id of a generation, such as 17.");
}

/** Ids that are given one after the other. */
export function idsArgument(raw: string, earlier: readonly bigint[] = []): readonly bigint[] {
  return [...earlier, idArgument(raw)];
}

/** A seed: any integer of 64 bits. */
export function seedOption(raw: string): bigint {
  return integer64(raw, -GREATEST_ID - 1n, "It must be an integer of 64 bits.");
}

export const ratingOption = integerOption(1, 5);

function integer64(raw: string, least: bigint, otherwise: string): bigint {
  if (!/^-?\d{1,19}$/.test(raw.trim())) throw new InvalidArgumentError(otherwise);
  const value = BigInt(raw.trim());
  if (value < least || value > GREATEST_ID) throw new InvalidArgumentError(otherwise);
  return value;
}
