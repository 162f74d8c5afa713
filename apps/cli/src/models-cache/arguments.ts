import { bytes } from "@kindred/config";
import { messageOf } from "@kindred/errors";
import { InvalidArgumentError } from "commander";

const GREATEST_ID = 2n ** 63n - 1n;

/** An id of an entry, as `list` shows it. */
export function idArgument(raw: string): bigint {
  if (!/^\d{1,19}$/.test(raw) || BigInt(raw) < 1n || BigInt(raw) > GREATEST_ID)
    throw new InvalidArgumentError("It must be the id of an entry: kindred models-cache list");
  return BigInt(raw);
}

/** Ids that are given one after the other. */
export function idsArgument(raw: string, earlier: readonly bigint[] = []): readonly bigint[] {
  return [...earlier, idArgument(raw)];
}

const { parse } = bytes({ description: "", min: "0B", max: "8388607GiB" });

/** A size such as 512MiB or 20GiB, in bytes. */
export function bytesOption(raw: string): bigint {
  try {
    return BigInt(parse(raw));
  } catch (error) {
    throw new InvalidArgumentError(`It ${messageOf(error)}.`);
  }
}
