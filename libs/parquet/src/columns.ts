import { KindredError } from "@kindred/errors";
import type { SchemaElement, SchemaTree } from "hyparquet";
import type { ParquetColumn, ParquetType } from "./types.ts";

/** A column of a file that may come from anywhere, and how its values become those of its type. */
export interface ReadableColumn extends ParquetColumn {
  tree: SchemaTree;
  leaf: SchemaTree;
  /** From the root to the leaf. */
  path: SchemaTree[];
  list: boolean;
  convert: (values: ArrayLike<unknown>) => ArrayLike<unknown>;
}

export interface UnreadableColumn {
  name: string;
  /** What it is, e.g. "a struct". */
  why: string;
}

const MAX_EXACT_DIGITS = 15;
const INT64_MAX = 2n ** 63n - 1n;

const same = (values: ArrayLike<unknown>): ArrayLike<unknown> => values;

/** Some writers state logical types only, of which the decoder looks at the older converted types. */
export function withConvertedTypes(element: SchemaElement): SchemaElement {
  if (element.converted_type !== undefined) return element;
  const logical = element.logical_type?.type;
  if (logical === "LIST" || logical === "MAP" || logical === "DATE" || logical === "JSON")
    return { ...element, converted_type: logical };
  if (logical === "STRING" || logical === "ENUM") return { ...element, converted_type: "UTF8" };
  return element;
}

/** What a top-level column of a file is to us. */
export function readColumn(tree: SchemaTree, root: SchemaTree): ReadableColumn | UnreadableColumn {
  const { name, repetition_type } = tree.element;
  const nullable = repetition_type === "OPTIONAL";
  if (tree.children.length === 0 && repetition_type !== "REPEATED") {
    const scalar = scalarType(tree.element);
    if (typeof scalar === "string") return { name, why: scalar };
    return { name, nullable, list: false, tree, leaf: tree, path: [root, tree], ...scalar };
  }
  const path = listPath(tree);
  if (path === undefined) {
    const logical = tree.element.logical_type?.type ?? tree.element.converted_type;
    return {
      name,
      why: logical === undefined ? "a struct" : `a ${logical.toLowerCase()} of more than one value`,
    };
  }
  const leaf = path.at(-1) as SchemaTree;
  const element = scalarType(leaf.element);
  if (typeof element === "string") return { name, why: `a list of ${element}` };
  const base = { name, nullable, list: true, tree, leaf, path: [root, ...path] };
  if (element.type === "string") return { ...base, type: "strings", convert: same };
  if (element.type === "double") return { ...base, type: "float32s", convert: same };
  return { name, why: `a list of ${element.type}` };
}

/** The nodes of a list of single values: three levels, the two of older writers, or a bare repeated field. */
function listPath(tree: SchemaTree): SchemaTree[] | undefined {
  if (tree.children.length === 0) return [tree];
  if (tree.element.converted_type !== "LIST" || tree.children.length !== 1) return undefined;
  const repeated = tree.children[0] as SchemaTree;
  if (repeated.element.repetition_type !== "REPEATED") return undefined;
  if (repeated.children.length === 0) return [tree, repeated];
  const element = repeated.children[0] as SchemaTree;
  if (repeated.children.length > 1 || element.children.length > 0) return undefined;
  return element.element.repetition_type === "REPEATED" ? undefined : [tree, repeated, element];
}

type Scalar = Pick<ReadableColumn, "type" | "convert">;

/** The type of a single value; a text says what it is where there is none. */
function scalarType(element: SchemaElement): Scalar | string {
  const { type, converted_type: converted, logical_type: logical } = element;
  const as = (name: ParquetType, convert = same): Scalar => ({ type: name, convert });
  if (converted === "DECIMAL" || logical?.type === "DECIMAL") {
    const digits = element.precision ?? (logical?.type === "DECIMAL" ? logical.precision : 0);
    return digits <= MAX_EXACT_DIGITS ? as("double") : `a decimal of ${digits} digits`;
  }
  if (converted === "INTERVAL" || converted === "BSON") return `a ${converted.toLowerCase()}`;
  if (logical?.type === "GEOMETRY" || logical?.type === "GEOGRAPHY" || logical?.type === "VARIANT")
    return `a ${logical.type.toLowerCase()}`;
  switch (type) {
    case "BOOLEAN":
      return as("boolean");
    case "INT32":
      if (converted === "DATE") return as("timestamp");
      return isUnsigned(element, 32)
        ? as("int64", (values) => eachValue(values, (v) => BigInt(v as number)))
        : as("int32");
    case "INT64":
      if (isTimestamp(element)) return as("timestamp");
      return isUnsigned(element, 64) ? as("int64", (values) => eachValue(values, signed)) : as("int64");
    case "INT96":
      return as("timestamp");
    case "FLOAT":
    case "DOUBLE":
      return as("double");
    case "BYTE_ARRAY":
      if (converted === "JSON" || logical?.type === "JSON") return as("json");
      return converted === "UTF8" || converted === "ENUM" ? as("string") : as("bytes");
    case "FIXED_LEN_BYTE_ARRAY":
      if (logical?.type === "FLOAT16") return as("double");
      return logical?.type === "UUID" ? as("string") : as("bytes");
    default:
      return `of the unknown type ${String(type)}`;
  }
}

function isTimestamp({ converted_type, logical_type }: SchemaElement): boolean {
  return (
    converted_type === "TIMESTAMP_MILLIS" ||
    converted_type === "TIMESTAMP_MICROS" ||
    logical_type?.type === "TIMESTAMP"
  );
}

function isUnsigned({ converted_type, logical_type }: SchemaElement, bits: number): boolean {
  if (converted_type === `UINT_${bits}`) return true;
  return logical_type?.type === "INTEGER" && logical_type.bitWidth === bits && !logical_type.isSigned;
}

function signed(value: unknown): bigint {
  if ((value as bigint) > INT64_MAX)
    throw new KindredError("unimplemented", `${value as bigint} is more than 64 bits with a sign can say`);
  return value as bigint;
}

function eachValue(values: ArrayLike<unknown>, convert: (value: unknown) => unknown): unknown[] {
  return Array.from(values, (value) => (value === null || value === undefined ? null : convert(value)));
}
