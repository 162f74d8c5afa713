import type { FaissIndex } from "./faiss-index.ts";
import { damaged, openSource, type IndexSource } from "./index-source.ts";
import { FieldReader } from "./field-reader.ts";
import { orderRows, type RowOrder } from "./inverted-lists.ts";
import { parseIndex, type ParsedIndex } from "./parse-index.ts";
import { readBatches, type BatchOptions } from "./read-batches.ts";

/**
 * Opens an index that FAISS wrote with `write_index`, and checks all of it but the vectors themselves.
 * @throws KindredError not-found, failed-precondition (no file that may be read), unimplemented (a kind of index that is not read: what
 *   to do is in the message), data-loss (no such file, cut short, contradicts itself)
 */
export async function openFaissIndex(path: string): Promise<FaissIndex> {
  const source = await openSource(path);
  try {
    return await indexIn(source);
  } catch (error) {
    await source[Symbol.asyncDispose]();
    throw error;
  }
}

async function indexIn(source: IndexSource): Promise<FaissIndex> {
  const fields = new FieldReader(source);
  const index = await parseIndex(fields);
  if (fields.remaining > 0)
    throw damaged(
      source.path,
      `${index.kind} ends at byte ${fields.position}, and ${fields.remaining} follow`,
    );
  const order = index.storage.type === "lists" ? await orderRows(source, index.storage.lists) : undefined;
  if (index.idsAt !== undefined && order?.ids)
    throw damaged(
      source.path,
      `${index.kind} needs ids of 0 to ${index.count - 1} in its lists, and they are others`,
    );
  return opened(source, index, order);
}

function opened(source: IndexSource, index: ParsedIndex, order: RowOrder | undefined): FaissIndex {
  return {
    kind: index.kind,
    dimensions: index.dimensions,
    metric: index.metric,
    count: index.count,
    hasIds: index.idsAt !== undefined || order?.ids !== undefined,
    approximate: index.storage.codec.approximate,
    batches: (options: BatchOptions = {}) => readBatches(source, index, order, options),
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}
