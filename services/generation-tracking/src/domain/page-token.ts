import { createHash, timingSafeEqual } from "node:crypto";
import { invalidField } from "@kindred/errors";
import type { GenerationFilter, ListPosition } from "./generation.ts";

const VERSION = 1;
const SUM_BYTES = 8;
const POSITION_BYTES = 17;

/**
 * A page token: where the next page begins, bound to the list's filter. Opaque to callers; base64url without padding.
 * It holds nothing secret, and a sum that tells tokens of this service from anything else.
 */
export function encodePageToken(filter: GenerationFilter, position: ListPosition): string {
  const bytes = Buffer.alloc(POSITION_BYTES);
  bytes.writeUInt8(VERSION, 0);
  bytes.writeBigInt64BE(position.createdAtMicros, 1);
  bytes.writeBigInt64BE(position.id, 9);
  return Buffer.concat([bytes, sumOf(filter, bytes)]).toString("base64url");
}

/**
 * @returns where the page begins; undefined for the empty token, which is the first page's.
 * @throws KindredError invalid-argument on `page_token` for a token of another list, and for what is none.
 */
export function decodePageToken(filter: GenerationFilter, token: string): ListPosition | undefined {
  if (token === "") return undefined;
  const bytes = Buffer.from(token, "base64url");
  const position = bytes.subarray(0, POSITION_BYTES);
  const sum = bytes.subarray(POSITION_BYTES);
  const genuine =
    // Buffer.from skips what is not base64url.
    bytes.toString("base64url") === token &&
    sum.length === SUM_BYTES &&
    position[0] === VERSION &&
    timingSafeEqual(sum, sumOf(filter, position));
  if (!genuine) {
    throw invalidField(
      "page_token",
      "is not a token of this list: give next_page_token as it was returned, with the same filters",
    );
  }
  return { createdAtMicros: position.readBigInt64BE(1), id: position.readBigInt64BE(9) };
}

function sumOf(filter: GenerationFilter, position: Uint8Array): Buffer {
  const conditions = JSON.stringify([
    filter.status ?? null,
    filter.promptContains ?? null,
    filter.createdAfterMicros?.toString() ?? null,
    filter.createdBeforeMicros?.toString() ?? null,
  ]);
  return createHash("sha256").update(conditions).update(position).digest().subarray(0, SUM_BYTES);
}
