import { ElementType, type ItemBatch } from "@kindred/contracts/vector-store/v1";
import type { ParquetColumn } from "@kindred/parquet";
import { unpackVectors } from "@kindred/rpc";
import type { ItemRow } from "../vectors/item-line.ts";
import { bitsText, packBits, type VectorShape } from "../vectors/vector-text.ts";
import type { KnownColumns, RowValues } from "./parquet-rows.ts";
import { toColumns, type ParquetFormat } from "./parquet-sink.ts";
import { integerValue, objectValue, textValue, vectorValue } from "./parquet-values.ts";

export const ITEM_COLUMNS: KnownColumns = {
  what: "an item",
  required: ["key"],
  optional: ["vector", "text", "metadata", "document", "updated_at"],
  remedy: "Rename or leave them out; what else is known of an item is JSON in the column metadata.",
};

/** @throws Error that says what is wrong with the row. */
export function readItemRow(row: RowValues, { elementType, dimensions }: VectorShape): ItemRow {
  const vector =
    elementType === ElementType.BIT ? bitsValue(row, dimensions) : vectorValue(row, "vector", dimensions);
  const text = textValue(row, "text");
  if ((vector === undefined) === (text === undefined))
    throw new Error('an item has a "vector" or a "text", one of them');
  return {
    key: keyValue(row),
    vector,
    text,
    metadata: objectValue(row, "metadata"),
    document: textValue(row, "document"),
  };
}

function keyValue(row: RowValues): string {
  const key = typeof row["key"] === "string" ? row["key"] : integerValue(row, "key");
  if (key === undefined || key === "")
    throw new Error('"key" has to be a text that is not empty, or an integer');
  return String(key);
}

function bitsValue(row: RowValues, dimensions: number): Uint8Array | undefined {
  const bits = textValue(row, "vector");
  if (bits === undefined) return undefined;
  if (!/^[01]*$/.test(bits)) throw new Error('"vector" has to be bits: a text such as "0110"');
  if (bits.length !== dimensions)
    throw new Error(`"vector" has ${bits.length} dimensions, not the collection's ${dimensions}`);
  return packBits(bits).data;
}

/** Vectors of bits are texts such as "0110". */
export function itemParquet(
  { elementType, dimensions }: VectorShape,
  options: { vector: boolean; metadata: Readonly<Record<string, string>> },
): ParquetFormat<ItemBatch> {
  const isBits = elementType === ElementType.BIT;
  const vectorColumn: ParquetColumn = {
    name: "vector",
    type: isBits ? "string" : "float32s",
    nullable: true,
  };
  const vectorOf = (data: Uint8Array): unknown =>
    isBits ? bitsText(data, dimensions) : unpackVectors(data, dimensions);
  return {
    columns: [
      { name: "key", type: "string", nullable: false },
      ...(options.vector ? [vectorColumn] : []),
      { name: "metadata", type: "json", nullable: true },
      { name: "document", type: "string", nullable: true },
    ],
    metadata: { "kindred.content": "items", ...options.metadata },
    batch: ({ keys, vectors, metadata, documents }) => {
      const bytes = vectors.byteLength / Math.max(keys.length, 1);
      return toColumns(
        keys.map((key, i) => ({ key, i })),
        {
          key: ({ key }) => key,
          ...(options.vector && {
            vector: ({ i }: { i: number }) =>
              bytes > 0 ? vectorOf(vectors.subarray(i * bytes, (i + 1) * bytes)) : undefined,
          }),
          metadata: ({ i }) => metadata[i],
          document: ({ i }) => documents[i] || undefined,
        },
      );
    },
  };
}
