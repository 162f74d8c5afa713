import { invalidField, invalidFields, type FieldViolation } from "@kindred/errors";
import { pageTokens } from "@kindred/page-tokens";
import { countDown } from "../call-limits.ts";
import type { Collection } from "../collection.ts";
import type { Filter } from "../filter.ts";
import type { CollectionRepository, ItemStore } from "../item-ports.ts";
import type { Item, Projection } from "../item.ts";
import type { CallLimits } from "../ports.ts";
import { retryAborted } from "../retry-aborted.ts";
import { readKey } from "./key-form.ts";

export interface ReadItemsDeps {
  collections: Pick<CollectionRepository, "get">;
  items: Pick<ItemStore, "get" | "list" | "export">;
}

const tokens = pageTokens({ name: "items", position: ["text"] });

/** At most so many items are in one message of an export, … */
const EXPORT_ROWS = 1000;
/** … and fewer where their vectors have more bytes than this together. */
const EXPORT_BYTES = 4 * 2 ** 20;

/**
 * Keys in the form in which the store gives them back.
 * @param field path of the keys in the request
 * @throws KindredError invalid-argument that names those which are none.
 */
export function readKeys(collection: Collection, keys: readonly string[], field: string): string[] {
  const violations: FieldViolation[] = [];
  const read = keys.map((text, i) => {
    const result = readKey(collection.layout.key.type, text);
    if ("key" in result) return result.key;
    violations.push({ field: `${field}[${i}]`, description: result.problem });
    return text;
  });
  if (violations.length > 0) throw invalidFields(violations.slice(0, 20));
  return read;
}

/** The items with these keys, in the order of the keys; those that are not there are left out. */
export async function getItems(
  deps: ReadItemsDeps,
  request: { collection: string; keys: readonly string[]; projection: Projection },
  limits: CallLimits,
): Promise<Item[]> {
  return await retryAborted(async () => {
    const collection = await deps.collections.get(request.collection);
    const keys = readKeys(collection, request.keys, "keys");
    const found = await deps.items.get(collection, [...new Set(keys)], request.projection, limits);
    const byKey = new Map(found.map((item) => [item.key, item]));
    return keys.map((key) => byKey.get(key)).filter((item) => item !== undefined);
  });
}

/**
 * One page of items by ascending key. What is added meanwhile may appear on later pages; nothing appears twice.
 * @throws KindredError invalid-argument on `page_token`.
 */
export async function scrollItems(
  deps: ReadItemsDeps,
  request: {
    collection: string;
    filter: Filter | undefined;
    pageSize: number;
    pageToken: string;
    projection: Projection;
  },
  limits: CallLimits,
): Promise<{ items: Item[]; nextPageToken: string }> {
  const { filter, pageSize, projection } = request;
  const list = { collection: request.collection, filter };
  const [afterKey] = tokens.open(list, request.pageToken) ?? [];
  const found = await retryAborted(async () => {
    const collection = await deps.collections.get(request.collection);
    // One more than asked for: it tells whether there is a next page.
    return await deps.items.list(collection, { filter, afterKey, limit: pageSize + 1, projection }, limits);
  });
  const items = found.slice(0, pageSize);
  const last = items.at(-1);
  return { items, nextPageToken: found.length > pageSize && last ? tokens.seal(list, [last.key]) : "" };
}

/** All items, or those that pass the filter, by ascending key, some at a time. */
export async function* exportItems(
  deps: ReadItemsDeps,
  request: { collection: string; filter: Filter | undefined; afterKey: string; projection: Projection },
  limits: CallLimits,
): AsyncGenerator<Item[]> {
  const left = countDown(limits);
  const { filter, projection } = request;
  const collection = await deps.collections.get(request.collection);
  const batchSize = projection.vector
    ? Math.max(1, Math.min(EXPORT_ROWS, Math.floor(EXPORT_BYTES / (4 * collection.dimensions))))
    : EXPORT_ROWS;
  const after = request.afterKey === "" ? undefined : readKeys(collection, [request.afterKey], "after_key");
  const query = { filter, afterKey: after?.[0], batchSize, projection };
  for await (const items of deps.items.export(collection, query, left())) {
    // Vectors travel one after the other: rows of a user's table that have none would shift the others.
    yield projection.vector ? items.filter(({ vector }) => vector !== undefined) : items;
  }
}

/** @throws KindredError invalid-argument for a key that is there twice. */
export function requireDistinct(keys: readonly string[], field: string): void {
  const first = new Map<string, number>();
  for (const [i, key] of keys.entries()) {
    const other = first.get(key);
    if (other !== undefined)
      throw invalidField(`${field}[${i}]`, `must be unique, is that of ${field}[${other}] too`);
    first.set(key, i);
  }
}
