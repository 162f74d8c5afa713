import type { Generation } from "../generation.ts";
import { EXPORT_COLUMNS, timeJson, type ExportColumn } from "./columns.ts";
import type { ExportEncoder } from "./encoder.ts";

const LINE_END = "\r\n";

/**
 * RFC 4180: a header, then a line for each generation; lines end in CRLF, fields with commas, quotes or line breaks are quoted, and
 * quotes in them doubled. Nested values are JSON; what a generation has not is empty. Texts are as they are, also those that a spreadsheet
 * takes for formulas.
 */
export function csv(): ExportEncoder {
  let isBegun = false;
  const header = (): string => {
    if (isBegun) return "";
    isBegun = true;
    return `${EXPORT_COLUMNS.map(({ name }) => name).join(",")}${LINE_END}`;
  };
  return {
    append: async (generations) => Buffer.from(header() + generations.map(lineOf).join("")),
    finish: async () => Buffer.from(header()),
  };
}

function lineOf(generation: Generation): string {
  return `${EXPORT_COLUMNS.map((column) => field(textOf(column, generation))).join(",")}${LINE_END}`;
}

function textOf({ type, valueOf }: ExportColumn, generation: Generation): string {
  const value = valueOf(generation);
  if (value === undefined) return "";
  if (type === "json") return JSON.stringify(value);
  return type === "timestamp" ? timeJson(value as bigint) : String(value as bigint | number | string);
}

function field(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
