import { createHash } from "node:crypto";
import { invalidField } from "@kindred/errors";
import type { OperationList } from "@kindred/operations";
import type { Filter } from "./filter.ts";
import type { ImageFilter } from "./image.ts";

const VERSION = 1;
const ID_BYTES = 8;
const SUM_BYTES = 8;

/** Where the next page begins, bound to the list's filter. Opaque to callers; base64url without padding. */
export function encodePageToken(filter: ImageFilter, lastId: bigint): string {
  return seal(imageList(filter), idBytes(lastId));
}

/**
 * The id behind which the page begins; 0 for the empty token, which is the first page's.
 * @throws KindredError invalid-argument on `page_token` for a token of another list, and for what is none.
 */
export function decodePageToken(filter: ImageFilter, token: string): bigint {
  return token === "" ? 0n : readId(open(imageList(filter), token));
}

/** Likewise for operations, which are listed by descending id. */
export function encodeOperationToken(list: OperationList, lastId: bigint): string {
  return seal(operationList(list), idBytes(lastId));
}

/** The id before which the page begins; undefined for the empty token. @throws as decodePageToken */
export function decodeOperationToken(list: OperationList, token: string): bigint | undefined {
  return token === "" ? undefined : readId(open(operationList(list), token));
}

/** Likewise for what was measured of recall, by descending id. */
export function encodeRecallToken(list: RecallList, lastId: bigint): string {
  return seal(recallList(list), idBytes(lastId));
}

/** The id before which the page begins; undefined for the empty token. @throws as decodePageToken */
export function decodeRecallToken(list: RecallList, token: string): bigint | undefined {
  return token === "" ? undefined : readId(open(recallList(list), token));
}

/** Likewise for the items of a collection, which are listed by key. */
export function encodeKeyToken(
  list: { collection: string; filter: Filter | undefined },
  lastKey: string,
): string {
  return seal(itemList(list), Buffer.from(lastKey));
}

/** The key behind which the page begins; undefined for the empty token. @throws as decodePageToken */
export function decodeKeyToken(
  list: { collection: string; filter: Filter | undefined },
  token: string,
): string | undefined {
  return token === "" ? undefined : open(itemList(list), token).toString();
}

/** Which of the lists about recall. */
export interface RecallList {
  of: "measurements" | "events";
  collection: string | undefined;
  indexName: string | undefined;
}

function recallList({ of, collection, indexName }: RecallList): string {
  return JSON.stringify(["recall", of, collection ?? null, indexName ?? null]);
}

function idBytes(id: bigint): Buffer {
  const position = Buffer.alloc(ID_BYTES);
  position.writeBigInt64BE(id);
  return position;
}

function readId(position: Buffer): bigint {
  if (position.length !== ID_BYTES) throw notAToken();
  return position.readBigInt64BE();
}

function operationList({ subject, active }: OperationList): string {
  return JSON.stringify(["operations", subject ?? null, active]);
}

function imageList({ sourceDataset, tags }: ImageFilter): string {
  return JSON.stringify([sourceDataset, tags]);
}

function itemList({ collection, filter }: { collection: string; filter: Filter | undefined }): string {
  // JSON has no integers of 64 bits.
  return JSON.stringify(["items", collection, filter ?? null], (_, value: unknown) =>
    typeof value === "bigint" ? { integer: String(value) } : value,
  );
}

function seal(list: string, position: Uint8Array): string {
  const content = Buffer.concat([Buffer.of(VERSION), position]);
  return Buffer.concat([content, sumOf(list, content)]).toString("base64url");
}

function open(list: string, token: string): Buffer {
  const bytes = Buffer.from(token, "base64url");
  const content = bytes.subarray(0, Math.max(0, bytes.length - SUM_BYTES));
  const genuine =
    // Buffer.from skips what is not base64url.
    bytes.toString("base64url") === token &&
    content[0] === VERSION &&
    bytes.subarray(content.length).equals(sumOf(list, content));
  if (!genuine) throw notAToken();
  return content.subarray(1);
}

function notAToken(): Error {
  return invalidField(
    "page_token",
    "is not a token of this list: give next_page_token as it was returned, with the same filters",
  );
}

/** Tells tokens of this list from anything else; it is no secret. */
function sumOf(list: string, content: Uint8Array): Buffer {
  return createHash("sha256").update(list).update(content).digest().subarray(0, SUM_BYTES);
}
