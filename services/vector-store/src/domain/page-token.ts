import { createHash } from "node:crypto";
import { invalidField } from "@kindred/errors";
import type { ImageFilter } from "./image.ts";

const VERSION = 1;
const ID_BYTES = 9;
const SUM_BYTES = 8;

/** Where the next page begins, bound to the list's filter. Opaque to callers; base64url without padding. */
export function encodePageToken(filter: ImageFilter, lastId: bigint): string {
  const position = Buffer.alloc(ID_BYTES);
  position.writeUInt8(VERSION, 0);
  position.writeBigInt64BE(lastId, 1);
  return Buffer.concat([position, sumOf(filter, position)]).toString("base64url");
}

/**
 * The id behind which the page begins; 0 for the empty token, which is the first page's.
 * @throws KindredError invalid-argument on `page_token` for a token of another list, and for what is none.
 */
export function decodePageToken(filter: ImageFilter, token: string): bigint {
  if (token === "") return 0n;
  const bytes = Buffer.from(token, "base64url");
  const position = bytes.subarray(0, ID_BYTES);
  const genuine =
    // Buffer.from skips what is not base64url.
    bytes.toString("base64url") === token &&
    bytes.length === ID_BYTES + SUM_BYTES &&
    position[0] === VERSION &&
    bytes.subarray(ID_BYTES).equals(sumOf(filter, position));
  if (!genuine) {
    throw invalidField(
      "page_token",
      "is not a token of this list: give next_page_token as it was returned, with the same filters",
    );
  }
  return position.readBigInt64BE(1);
}

/** Tells tokens of this list from anything else; it is no secret. */
function sumOf(filter: ImageFilter, position: Uint8Array): Buffer {
  const conditions = JSON.stringify([filter.sourceDataset, filter.tags]);
  return createHash("sha256").update(conditions).update(position).digest().subarray(0, SUM_BYTES);
}
