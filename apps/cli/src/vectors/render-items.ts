import type { JsonObject } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { ItemSchema, type Item } from "@kindred/contracts/vector-store/v1";
import { toPlain } from "../plain.ts";
import { renderTable } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { describeItem } from "./render-search.ts";
import { shortVector, storedVectorJson, type VectorShape } from "./vector-text.ts";

/** @param shape of the vectors that the items have; undefined when they have none */
export function renderItems(
  terminal: Terminal,
  items: readonly Item[],
  shape: VectorShape | undefined,
): string {
  return renderTable(
    terminal,
    [
      { title: "key" },
      { title: "updated" },
      ...(shape ? [{ title: "vector" }] : []),
      { title: "item", shrinks: true },
    ],
    items.map((item) => [
      item.key,
      item.updatedAt ? timestampDate(item.updatedAt).toLocaleString("sv-SE") : "",
      ...(shape ? [item.vector.length > 0 ? shortVector(item.vector, shape) : ""] : []),
      describeItem(item),
    ]),
  );
}

/** For programs: as the message is, with the vector as numbers, or left out where none was asked for. */
export function plainItem(item: Item, shape: VectorShape | undefined): JsonObject {
  const { vector: _bytes, ...plain } = toPlain(ItemSchema, item);
  if (!shape || item.vector.length === 0) return plain;
  return { ...plain, vector: JSON.parse(storedVectorJson(item.vector, shape)) as number[] | string };
}
