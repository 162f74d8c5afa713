import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ItemBatchSchema, ItemSchema } from "@kindred/contracts/vector-store/v1";
import type { Item, Projection } from "../../domain/item.ts";

export function toItemMessage(item: Item): MessageInitShape<typeof ItemSchema> {
  const { key, vector, metadata, document, updatedAt } = item;
  return {
    key,
    ...(vector && { vector }),
    ...(metadata && { metadata }),
    document: document ?? "",
    ...(updatedAt && { updatedAt: timestampFromDate(updatedAt) }),
  };
}

/** Column by column. */
export function toBatchMessage(
  items: readonly Item[],
  projection: Projection,
): MessageInitShape<typeof ItemBatchSchema> {
  return {
    keys: items.map(({ key }) => key),
    ...(projection.vector && { vectors: Buffer.concat(items.map(({ vector }) => vector ?? Buffer.of())) }),
    ...(projection.metadata !== "none" && { metadata: items.map(({ metadata }) => metadata ?? {}) }),
    ...(projection.document && { documents: items.map(({ document }) => document ?? "") }),
  };
}
