import { KindredError } from "@kindred/errors";
import { NumpyArray, type PickleValue } from "@kindred/pickle";

export type MetadataShape = "list of dicts" | "dict of columns" | "dict keyed by id";

/** What is known of one vector, by the names that the file uses. */
export type Fields = ReadonlyMap<string, PickleValue>;

/** Where ids of the records were found. */
export interface MetadataIds {
  /** The field, or "keys" of the dict. */
  from: string;
  /** One a record. */
  values: readonly (number | bigint)[];
  /**
   * Whether they are the index's ids for certain, so that another id is a fault: the keys of a dict are; fields are where the index has
   * ids of its own, and else where they agree with its positions; an image's id is a guess.
   */
  certainty: "certain" | "where the index has ids" | "guess";
}

/** Records that belong to the vectors of an index. */
export interface Metadata {
  readonly shape: MetadataShape;
  readonly count: number;
  /** Sets of ids that the records may be known by in the index, the likeliest first. */
  readonly ids: readonly MetadataIds[];
  /** What the file says once, of all of them. */
  readonly shared: Fields;
  /** Dimensions of vectors that stand beside the records, with the name of their column. */
  readonly vectors: { name: string; dimensions: number } | undefined;
  /** Record number `position` in the order of the file, from 0 to count - 1. */
  record(position: number): Fields;
}

/** Fields that have the id of the record's vector, the likeliest first. */
const ID_FIELDS = ["faiss_id", "vector_id", "index_id", "id"];
const IMAGE_ID = "image_id";
const NO_FIELDS: Fields = new Map();

/**
 * Makes records of what metadata.pkl has: a list of dicts (or of paths), a dict of columns (lists, or numpy arrays of one dimension), or a
 * dict whose keys are the ids of the vectors.
 * @throws KindredError data-loss, naming what is of no such shape
 */
export function readMetadata(value: PickleValue): Metadata {
  if (value instanceof NumpyArray && value.dtype === "object" && value.shape.length === 1)
    return fromRecords([...(value.data as PickleValue[])], "list of dicts", []);
  if (Array.isArray(value)) return fromRecords(value, "list of dicts", []);
  if (value instanceof Map) {
    const keys = [...value.keys()].map(idOf);
    const isKeyed = value.size > 0 && keys.every((key) => key !== undefined);
    if (isKeyed) {
      const ids = { from: "keys", values: keys as (number | bigint)[], certainty: "certain" } as const;
      return fromRecords([...value.values()], "dict keyed by id", [ids]);
    }
    return fromColumns(value);
  }
  throw shapeless(`it is ${describe(value)}`);
}

function fromRecords(
  values: readonly PickleValue[],
  shape: MetadataShape,
  ids: readonly MetadataIds[],
): Metadata {
  const records = values.map((value, i) => fieldsOf(value, shape, ids[0]?.values[i] ?? i));
  const first = records[0] ?? NO_FIELDS;
  const found = [...ID_FIELDS, IMAGE_ID].flatMap((from): MetadataIds[] => {
    if (ids.length > 0 || !first.has(from)) return [];
    const column = records.map((fields) => integerOf(fields.get(from)));
    if (!column.every((id) => id !== undefined)) return [];
    return [{ from, values: column, certainty: certaintyOf(from) }];
  });
  return {
    shape,
    count: records.length,
    ids: [...ids, ...found],
    shared: NO_FIELDS,
    vectors: undefined,
    record: (position) => at(records, position),
  };
}

/** A record that is only a text is the path of its image. */
function fieldsOf(value: PickleValue, shape: MetadataShape, name: number | bigint): Fields {
  if (typeof value === "string") return new Map([["image_path", value]]);
  if (value instanceof Map && [...value.keys()].every((key) => typeof key === "string"))
    return value as Map<string, PickleValue>;
  throw shapeless(
    `${shape === "list of dicts" ? "record" : "the value of key"} ${name} is ${describe(value)} where a dict with texts as keys is wanted`,
  );
}

interface Column {
  name: string;
  length: number;
  at(position: number): PickleValue;
}

function fromColumns(value: Map<PickleValue, PickleValue>): Metadata {
  const columns: Column[] = [];
  const shared = new Map<string, PickleValue>();
  let vectors: Metadata["vectors"];
  let vectorRows = 0;
  for (const [name, content] of value) {
    if (typeof name !== "string")
      throw shapeless(`it is a dict whose keys are neither all ids nor all texts: one is ${describe(name)}`);
    if (content instanceof NumpyArray && content.shape.length === 2) {
      const [rows = 0, dimensions = 0] = content.shape;
      if (vectors !== undefined)
        throw shapeless(`it has vectors twice, as ${quoted(vectors.name)} and as ${quoted(name)}`);
      vectors = { name, dimensions };
      vectorRows = rows;
      continue;
    }
    const column = columnOf(name, content);
    if (column) columns.push(column);
    else shared.set(name, content);
  }
  const [first] = columns;
  if (!first) throw shapeless(`it is a dict of ${value.size} keys, and none of them has a list or an array`);
  const lengths = vectors
    ? [...columns, { name: vectors.name, length: vectorRows }]
    : (columns as readonly Pick<Column, "name" | "length">[]);
  const odd = lengths.find(({ length }) => length !== first.length);
  if (odd) {
    throw shapeless(
      `its columns differ in length: ${quoted(first.name)} has ${first.length}, ${quoted(odd.name)} has ${odd.length}`,
    );
  }
  return {
    shape: "dict of columns",
    count: first.length,
    ids: idColumns(columns),
    shared,
    vectors,
    record: (position) => {
      if (position < 0 || position >= first.length) throw new RangeError(`there is no record ${position}`);
      return new Map(columns.map((column) => [column.name, column.at(position)]));
    },
  };
}

function columnOf(name: string, content: PickleValue): Column | undefined {
  if (Array.isArray(content))
    return { name, length: content.length, at: (position) => content[position] as PickleValue };
  if (content instanceof NumpyArray && content.shape.length === 1)
    return { name, length: content.size, at: (position) => content.item(position) };
  return undefined;
}

function idColumns(columns: readonly Column[]): MetadataIds[] {
  return [...ID_FIELDS, IMAGE_ID].flatMap((wanted): MetadataIds[] => {
    const column = columns.find(({ name }) => name === wanted || name === `${wanted}s`);
    if (!column) return [];
    const values = Array.from({ length: column.length }, (_, i) => integerOf(column.at(i)));
    if (!values.every((id) => id !== undefined)) return [];
    return [{ from: column.name, values, certainty: certaintyOf(wanted) }];
  });
}

function certaintyOf(field: string): MetadataIds["certainty"] {
  return field === IMAGE_ID ? "guess" : "where the index has ids";
}

/** Of a key: an integer, or its digits. */
function idOf(key: PickleValue): number | bigint | undefined {
  if (typeof key !== "string") return integerOf(key);
  return /^(0|-?[1-9]\d{0,18})$/.test(key) ? BigInt(key) : undefined;
}

function integerOf(value: PickleValue | undefined): number | bigint | undefined {
  return typeof value === "bigint" || Number.isSafeInteger(value) ? (value as number | bigint) : undefined;
}

function at(records: readonly Fields[], position: number): Fields {
  const record = records[position];
  if (!record) throw new RangeError(`there is no record ${position}`);
  return record;
}

function describe(value: PickleValue): string {
  if (value === null) return "None";
  if (Array.isArray(value)) return "a list";
  if (value instanceof NumpyArray)
    return `a numpy array of shape (${value.shape.join(", ")}) and type ${value.dtype}`;
  if (value instanceof Map) return "a dict with other keys than texts";
  if (typeof value === "string") return `the text ${quoted(value.slice(0, 40))}`;
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean")
    return `the ${typeof value === "boolean" ? "truth value" : "number"} ${value}`;
  return "no list and no dict";
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

function shapeless(what: string): KindredError {
  return new KindredError(
    "data-loss",
    `the metadata has none of the shapes that are read (a list of dicts, a dict of columns, a dict keyed by id): ${what}`,
  );
}
