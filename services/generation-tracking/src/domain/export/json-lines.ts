import type { Generation, JsonValue } from "../generation.ts";
import { EXPORT_COLUMNS, integerJson, timeJson, type ExportColumn } from "./columns.ts";
import type { ExportEncoder } from "./encoder.ts";

/** One JSON object a line, with the members that the generation has. */
export function jsonLines(): ExportEncoder {
  return {
    append: async (generations) => Buffer.from(generations.map(lineOf).join("")),
    finish: async () => new Uint8Array(),
  };
}

function lineOf(generation: Generation): string {
  const members = EXPORT_COLUMNS.flatMap((column): [string, JsonValue][] => {
    const value = jsonValueOf(column, generation);
    return value === undefined ? [] : [[column.name, value]];
  });
  return `${JSON.stringify(Object.fromEntries(members))}\n`;
}

function jsonValueOf(column: ExportColumn, generation: Generation): JsonValue | undefined {
  const value = column.valueOf(generation);
  if (typeof value !== "bigint") return value;
  return column.type === "timestamp" ? timeJson(value) : integerJson(value);
}
