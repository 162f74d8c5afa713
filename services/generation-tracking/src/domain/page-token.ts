import { createHash, timingSafeEqual } from "node:crypto";
import { invalidField } from "@kindred/errors";
import type { GenerationFilter, GenerationOrder, ListPosition } from "./generation-filter.ts";

/** What a list is of, in which order: a token belongs to it. */
export interface ListedGenerations {
  /** All of them have to hold. */
  filters: readonly GenerationFilter[];
  order: GenerationOrder;
}

const VERSION = 2;
const SUM_BYTES = 8;
/** Version, kind of the value, value, id. */
const POSITION_BYTES = 18;
const KIND = { none: 0, integer: 1, float: 2 };

/**
 * A page token: where the next page begins, bound to the list's filters and order. Opaque to callers; base64url without padding.
 * It holds nothing secret, and a sum that tells tokens of this service from anything else.
 */
export function encodePageToken(list: ListedGenerations, { value, id }: ListPosition): string {
  const bytes = Buffer.alloc(POSITION_BYTES);
  bytes.writeUInt8(VERSION, 0);
  if (typeof value === "bigint") {
    bytes.writeUInt8(KIND.integer, 1);
    bytes.writeBigInt64BE(value, 2);
  } else if (value !== undefined) {
    bytes.writeUInt8(KIND.float, 1);
    bytes.writeDoubleBE(value, 2);
  }
  bytes.writeBigInt64BE(id, 10);
  return Buffer.concat([bytes, sumOf(list, bytes)]).toString("base64url");
}

/**
 * @returns where the page begins; undefined for the empty token, which is the first page's.
 * @throws KindredError invalid-argument on `page_token` for a token of another list, and for what is none.
 */
export function decodePageToken(list: ListedGenerations, token: string): ListPosition | undefined {
  if (token === "") return undefined;
  const bytes = Buffer.from(token, "base64url");
  const position = bytes.subarray(0, POSITION_BYTES);
  const sum = bytes.subarray(POSITION_BYTES);
  const genuine =
    // Buffer.from skips what is not base64url.
    bytes.toString("base64url") === token &&
    sum.length === SUM_BYTES &&
    position[0] === VERSION &&
    timingSafeEqual(sum, sumOf(list, position));
  if (!genuine) {
    throw invalidField(
      "page_token",
      "is not a token of this list: give next_page_token as it was returned, with the same filters and order",
    );
  }
  return { value: valueOf(position), id: position.readBigInt64BE(10) };
}

function valueOf(position: Buffer): bigint | number | undefined {
  if (position[1] === KIND.integer) return position.readBigInt64BE(2);
  return position[1] === KIND.float ? position.readDoubleBE(2) : undefined;
}

function sumOf({ filters, order }: ListedGenerations, position: Uint8Array): Buffer {
  return createHash("sha256")
    .update(canonical({ filters, order }))
    .update(position)
    .digest()
    .subarray(0, SUM_BYTES);
}

/** JSON with sorted keys, where absent conditions and empty lists are the same. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === "bigint") return `${inner}n`;
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(
      Object.entries(inner)
        .filter(([, entry]) => entry !== undefined && !(Array.isArray(entry) && entry.length === 0))
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    );
  });
}
