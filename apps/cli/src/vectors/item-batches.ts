import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ItemBatchSchema } from "@kindred/contracts/vector-store/v1";
import type { ItemRow } from "./item-line.ts";
import type { Position, SourceRow } from "./item-source.ts";

/** A row that is not stored, and why. */
export interface BadRow {
  line: number;
  reason: string;
}

/** Rows that are stored together or not at all. */
export interface RowBatch<Item = ItemRow> {
  items: Item[];
  /** Of each item. */
  lines: number[];
  /** Rows between them that are no items. */
  bad: BadRow[];
  /** Behind the last row. */
  end: Position;
}

/** In order. A batch has items of one kind, with vectors or with texts, and at least one row. */
export function inItemBatches(rows: AsyncIterable<SourceRow>, limits: BatchLimits): AsyncGenerator<RowBatch> {
  return inRowBatches(
    rows,
    limits,
    (one, other) => (one.vector === undefined) === (other.vector === undefined),
  );
}

/** Of one batch; there is always room for one row. */
export interface BatchLimits {
  items: number;
  bytes: number;
}

/**
 * In order; a batch has at least one row.
 * @param fits whether an item may be in a batch that begins with another one
 */
export async function* inRowBatches<Item>(
  rows: AsyncIterable<SourceRow<Item>>,
  limits: BatchLimits,
  fits: (first: Item, item: Item) => boolean = () => true,
): AsyncGenerator<RowBatch<Item>> {
  let batch: RowBatch<Item> | undefined;
  let bytes = 0;
  for await (const row of rows) {
    const isFull =
      batch !== undefined &&
      (batch.items.length + batch.bad.length >= limits.items ||
        (batch.items.length > 0 && bytes + row.bytes > limits.bytes) ||
        !isAlike(batch, row, fits));
    if (batch && isFull) {
      yield batch;
      batch = undefined;
    }
    if (!batch) {
      batch = { items: [], lines: [], bad: [], end: row.end };
      bytes = 0;
    }
    if (typeof row.item === "string") batch.bad.push({ line: row.line, reason: row.item });
    else {
      batch.items.push(row.item);
      batch.lines.push(row.line);
      bytes += row.bytes;
    }
    batch.end = row.end;
  }
  if (batch) yield batch;
}

function isAlike<Item>(
  { items }: RowBatch<Item>,
  { item }: SourceRow<Item>,
  fits: (first: Item, item: Item) => boolean,
): boolean {
  const [first] = items;
  return first === undefined || typeof item === "string" || fits(first, item);
}

/** The message of some items, at least one, that all have vectors or all have texts. */
export function toItemBatch(items: readonly ItemRow[]): MessageInitShape<typeof ItemBatchSchema> {
  const hasVectors = items[0]?.vector !== undefined;
  return {
    keys: items.map(({ key }) => key),
    ...(hasVectors
      ? { vectors: Buffer.concat(items.map(({ vector }) => vector as Uint8Array)) }
      : { texts: items.map(({ text }) => text as string) }),
    ...(items.some(({ metadata }) => metadata !== undefined) && {
      metadata: items.map(({ metadata }) => metadata ?? {}),
    }),
    ...(items.some(({ document }) => document !== undefined) && {
      documents: items.map(({ document }) => document ?? ""),
    }),
  };
}
