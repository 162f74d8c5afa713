import type { ItemQuery } from "../../domain/item-ports.ts";

const SHOWN_NUMBERS = 2;

/** A statement's parameters for people; the vector, which is the first one, is shortened to "[0.012, -0.3, … 384]". */
export function shownParameters(
  { collection, vector }: Pick<ItemQuery, "collection" | "vector">,
  values: readonly unknown[],
): string[] {
  const { elementType, dimensions } = collection;
  const view = new DataView(vector.buffer, vector.byteOffset, vector.byteLength);
  const shown = Array.from({ length: Math.min(SHOWN_NUMBERS, dimensions) }, (_, i) =>
    elementType === "bit"
      ? String((view.getUint8(i >> 3) >> (7 - (i & 7))) & 1)
      : String(Number(view.getFloat32(4 * i, true).toPrecision(3))),
  );
  return [`[${shown.join(", ")}, … ${dimensions}]`, ...values.slice(1).map(shownValue)];
}

function shownValue(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof Date) return value.toISOString();
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
