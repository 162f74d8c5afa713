import { createHash } from "node:crypto";
import { invalidField } from "@kindred/errors";
import type { OperationList, OperationTokens } from "@kindred/operations";

const VERSION = 1;
const POSITION_BYTES = 9;
const SUM_BYTES = 8;

/** Where the next page of operations begins, bound to the list's filter. Opaque to callers; base64url without padding. */
export const operationTokens: OperationTokens = {
  encode(list, lastId) {
    const bytes = Buffer.alloc(POSITION_BYTES);
    bytes.writeUInt8(VERSION, 0);
    bytes.writeBigInt64BE(lastId, 1);
    return Buffer.concat([bytes, sumOf(list, bytes)]).toString("base64url");
  },

  decode(list, token) {
    if (token === "") return undefined;
    const bytes = Buffer.from(token, "base64url");
    const position = bytes.subarray(0, POSITION_BYTES);
    const genuine =
      // Buffer.from skips what is not base64url.
      bytes.toString("base64url") === token &&
      position[0] === VERSION &&
      bytes.subarray(POSITION_BYTES).equals(sumOf(list, position));
    if (!genuine) {
      throw invalidField(
        "page_token",
        "is not a token of this list: give next_page_token as it was returned, with the same filters",
      );
    }
    return position.readBigInt64BE(1);
  },
};

/** Tells tokens of this list from anything else; it is no secret. */
function sumOf({ subject, active }: OperationList, position: Uint8Array): Buffer {
  const list = JSON.stringify(["operations", subject ?? null, active]);
  return createHash("sha256").update(list).update(position).digest().subarray(0, SUM_BYTES);
}
