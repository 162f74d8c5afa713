import { createHash } from "node:crypto";
import { invalidField } from "@kindred/errors";
import type { SessionFilter, SessionPosition } from "./session.ts";

const VERSION = 1;
const POSITION_BYTES = 17;
const SUM_BYTES = 8;

/** Where the next page of sessions begins, bound to the list's filter. Opaque to callers; base64url without padding. */
export function encodeSessionToken(filter: SessionFilter, position: SessionPosition): string {
  const bytes = Buffer.alloc(POSITION_BYTES);
  bytes.writeUInt8(VERSION, 0);
  bytes.writeBigInt64BE(position.startMicros, 1);
  bytes.writeBigInt64BE(position.rowId, 9);
  return Buffer.concat([bytes, sumOf(filter, bytes)]).toString("base64url");
}

/**
 * @returns where the page begins; undefined for the empty token, which is the first page's.
 * @throws KindredError invalid-argument on `page_token` for a token of another list, and for what is none.
 */
export function decodeSessionToken(filter: SessionFilter, token: string): SessionPosition | undefined {
  if (token === "") return undefined;
  const bytes = Buffer.from(token, "base64url");
  const position = bytes.subarray(0, POSITION_BYTES);
  const genuine =
    // Buffer.from skips what is not base64url.
    bytes.toString("base64url") === token &&
    position[0] === VERSION &&
    bytes.subarray(POSITION_BYTES).equals(sumOf(filter, position));
  if (!genuine) {
    throw invalidField(
      "page_token",
      "is not a token of this list: give next_page_token as it was returned, with the same filters",
    );
  }
  return { startMicros: position.readBigInt64BE(1), rowId: position.readBigInt64BE(9) };
}

/** Tells tokens of this list from anything else; it is no secret. */
function sumOf(filter: SessionFilter, position: Uint8Array): Buffer {
  const conditions = JSON.stringify([
    "sessions",
    filter.userId ?? null,
    filter.active ?? null,
    filter.startedAfterMicros?.toString() ?? null,
    filter.startedBeforeMicros?.toString() ?? null,
  ]);
  return createHash("sha256").update(conditions).update(position).digest().subarray(0, SUM_BYTES);
}
