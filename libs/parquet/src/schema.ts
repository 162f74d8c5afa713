import type { Encoding, SchemaElement } from "hyparquet";
import type { ParquetColumn, ParquetType } from "./types.ts";

/** How a type is written: its element, or the element of its list. */
const elements: Readonly<Record<ParquetType, Omit<SchemaElement, "name">>> = {
  int32: { type: "INT32" },
  int64: { type: "INT64" },
  double: { type: "DOUBLE" },
  boolean: { type: "BOOLEAN" },
  string: { type: "BYTE_ARRAY", converted_type: "UTF8", logical_type: { type: "STRING" } },
  bytes: { type: "BYTE_ARRAY" },
  timestamp: {
    type: "INT64",
    converted_type: "TIMESTAMP_MILLIS",
    logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MILLIS" },
  },
  json: { type: "BYTE_ARRAY", converted_type: "JSON", logical_type: { type: "JSON" } },
  strings: { type: "BYTE_ARRAY", converted_type: "UTF8", logical_type: { type: "STRING" } },
  float32s: { type: "FLOAT" },
};

const isList = (type: ParquetType): boolean => type === "strings" || type === "float32s";

/** The schema of a file with these columns: a tree, parents before children; lists have the standard's three levels. */
export function schemaOf(columns: readonly ParquetColumn[]): SchemaElement[] {
  return [
    { name: "root", num_children: columns.length },
    ...columns.flatMap(({ name, type, nullable }): SchemaElement[] => {
      const repetition_type = nullable ? "OPTIONAL" : "REQUIRED";
      if (!isList(type)) return [{ name, repetition_type, ...elements[type] }];
      return [
        { name, repetition_type, num_children: 1, converted_type: "LIST", logical_type: { type: "LIST" } },
        { name: "list", repetition_type: "REPEATED", num_children: 1 },
        { name: "element", repetition_type: "REQUIRED", ...elements[type] },
      ];
    }),
  ];
}

/** How the pages of a column are written. Dictionaries only where texts may repeat, bounds only where order means something. */
export function encodingOf({ type }: ParquetColumn): { encoding: Encoding | undefined; statistics: boolean } {
  const texts = type === "string" || type === "json" || type === "bytes";
  const ordered = type === "int32" || type === "int64" || type === "double" || type === "timestamp";
  return { encoding: texts || type === "boolean" ? undefined : "PLAIN", statistics: ordered };
}
