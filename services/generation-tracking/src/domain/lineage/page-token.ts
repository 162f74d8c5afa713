import { createHash, timingSafeEqual } from "node:crypto";
import { invalidField } from "@kindred/errors";

const VERSION = 1;
const SUM_BYTES = 8;
const NUMBER_BYTES = 8;

/**
 * The token of a page that begins behind a position of some 64-bit numbers. Opaque to callers; base64url without padding. It holds nothing
 * secret, and a sum that binds it to the list.
 * @param list what is listed: the list's name and its conditions
 */
export function encodePosition(list: readonly string[], position: readonly bigint[]): string {
  const bytes = Buffer.alloc(1 + position.length * NUMBER_BYTES);
  bytes.writeUInt8(VERSION, 0);
  position.forEach((number, i) => bytes.writeBigInt64BE(number, 1 + i * NUMBER_BYTES));
  return Buffer.concat([bytes, sumOf(list, bytes)]).toString("base64url");
}

/**
 * @param size how many numbers the list's positions have
 * @returns undefined for the empty token, which is the first page's
 * @throws KindredError invalid-argument on `page_token` for a token of another list, and for what is none.
 */
export function decodePosition(list: readonly string[], token: string, size: number): bigint[] | undefined {
  if (token === "") return undefined;
  const bytes = Buffer.from(token, "base64url");
  const length = 1 + size * NUMBER_BYTES;
  const position = bytes.subarray(0, length);
  const sum = bytes.subarray(length);
  const genuine =
    // Buffer.from skips what is not base64url.
    bytes.toString("base64url") === token &&
    sum.length === SUM_BYTES &&
    position[0] === VERSION &&
    timingSafeEqual(sum, sumOf(list, position));
  if (!genuine) {
    throw invalidField(
      "page_token",
      "is not a token of this list: give next_page_token as it was returned, with the same conditions",
    );
  }
  return Array.from({ length: size }, (_, i) => position.readBigInt64BE(1 + i * NUMBER_BYTES));
}

function sumOf(list: readonly string[], position: Uint8Array): Buffer {
  return createHash("sha256").update(JSON.stringify(list)).update(position).digest().subarray(0, SUM_BYTES);
}
