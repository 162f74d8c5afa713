import { invalidFields, KindredError, type FieldViolation } from "@kindred/errors";
import { vectorBytes, type Collection } from "../collection.ts";
import { vectorProblem, type PackedVector } from "../packed-vector.ts";
import { metadataProblem, textProblem } from "../text-problem.ts";
import { readKey } from "./key-form.ts";
import { MAX_ITEMS, type ItemBatch, type NewItems, type RejectedRow } from "./new-items.ts";

/** Names of so many bad rows reach the caller: an error has to fit into a trailer. */
const MOST_NAMED = 20;

/** The rows that can be stored. */
export interface CheckedItems {
  /** Positions in the batch, ascending. */
  positions: readonly number[];
  /** The key of each of them, in the form in which the store gives it back. */
  keys: readonly string[];
  rejected: RejectedRow[];
}

/** The i-th vector of the batch. */
export function vectorAt(collection: Collection, { vectors }: NewItems, position: number): PackedVector {
  const bytes = vectorBytes(collection);
  return vectors.subarray(position * bytes, (position + 1) * bytes);
}

/**
 * Finds the rows that cannot be stored.
 * @throws KindredError invalid-argument when the columns do not have the same length, whatever the policy; and for bad rows unless
 *   they are to be left out.
 */
export function checkItems(collection: Collection, batch: ItemBatch): CheckedItems {
  checkShape(collection, batch);
  const { items, badRows, fields } = batch;
  const violations: FieldViolation[] = [];
  const rejected: RejectedRow[] = [];
  const positions: number[] = [];
  const keys: string[] = [];
  const first = new Map<string, number>();
  for (const [position, text] of items.keys.entries()) {
    const read = readKey(collection.layout.key.type, text);
    const other = "key" in read ? first.get(read.key) : undefined;
    const problem = keyProblem(read, other) ?? rowProblem(collection, items, position);
    if (problem) {
      const { column, why } = problem;
      violations.push({ field: `${fields.items}.${column}[${position}]`, description: why });
      rejected.push({ position, key: text, reason: `${column} ${why}` });
    } else if ("key" in read) {
      first.set(read.key, position);
      positions.push(position);
      keys.push(read.key);
    }
  }
  if (badRows === "reject-batch" && violations.length > 0) throw invalidRows(violations, fields.items);
  return { positions, keys, rejected };
}

/** What is wrong with a row, and in which column. */
interface RowProblem {
  column: keyof NewItems;
  why: string;
}

function keyProblem(read: ReturnType<typeof readKey>, other: number | undefined): RowProblem | undefined {
  if ("problem" in read) return { column: "keys", why: read.problem };
  if (other === undefined) return undefined;
  return { column: "keys", why: `must be unique within the batch, is that of keys[${other}] too` };
}

function invalidRows(violations: readonly FieldViolation[], field: string): KindredError {
  const more = violations.length - MOST_NAMED;
  if (more <= 0) return invalidFields(violations);
  return invalidFields([
    ...violations.slice(0, MOST_NAMED),
    { field, description: `has ${more} more rows that cannot be stored` },
  ]);
}

function rowProblem(collection: Collection, items: NewItems, position: number): RowProblem | undefined {
  const problem = sourceProblem(collection, items, position);
  if (problem) return problem;
  const metadata = items.metadata[position];
  const inMetadata = metadata && metadataProblem(metadata);
  if (inMetadata !== undefined) return { column: "metadata", why: inMetadata };
  const inDocument = textProblem(items.documents[position] ?? "");
  return inDocument === undefined ? undefined : { column: "documents", why: inDocument };
}

function sourceProblem(collection: Collection, items: NewItems, position: number): RowProblem | undefined {
  if (items.texts.length > 0) {
    const why = textProblem(items.texts[position] as string, { required: true });
    return why === undefined ? undefined : { column: "texts", why };
  }
  const why = vectorProblem(vectorAt(collection, items, position), collection, collection.metric);
  return why === undefined ? undefined : { column: "vectors", why };
}

/** @throws KindredError for what no row can be blamed for. */
function checkShape(collection: Collection, { items, fields }: ItemBatch): void {
  const violations: FieldViolation[] = [];
  const add = (column: keyof NewItems, description: string): void => {
    violations.push({ field: `${fields.items}.${column}`, description });
  };
  const { length } = items.keys;
  if (length < 1 || length > MAX_ITEMS) add("keys", `must be 1 to ${MAX_ITEMS}, are ${length}`);
  const { vectors, texts } = items;
  if (texts.length > 0) {
    if (vectors.byteLength > 0) add("vectors", "cannot be given together with texts");
    if (texts.length !== length) add("texts", `must be one a key (${length}), are ${texts.length}`);
  } else {
    const bytes = length * vectorBytes(collection);
    const { dimensions, elementType } = collection;
    const form = elementType === "bit" ? "packed bits" : "little-endian float32 values";
    if (vectors.byteLength !== bytes) {
      add(
        "vectors",
        `must hold ${length} vectors of ${dimensions} ${form} (${bytes} bytes), has ${vectors.byteLength} bytes`,
      );
    }
  }
  for (const column of ["metadata", "documents"] as const) {
    const given = items[column].length;
    if (given !== 0 && given !== length) add(column, `must be one a key (${length}) or none, are ${given}`);
  }
  if (violations.length > 0) throw invalidFields(violations);
}
