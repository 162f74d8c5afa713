/** Names of object members, from the outside in; where fields are columns, the first one is a column's name. */
export type FieldPath = readonly string[];

/** A text, a finite number, an integer of 64 bits, or a truth value. */
export type Scalar = string | number | bigint | boolean;

export type Bound = { value: Scalar; inclusive: boolean };

/**
 * A condition on the fields of an item. It either holds or does not: where a field is missing, null or of another type
 * than the condition is about, it does not hold, and `not` of it does.
 */
export type Filter =
  | { kind: "and"; filters: readonly Filter[] }
  | { kind: "or"; filters: readonly Filter[] }
  | { kind: "not"; filter: Filter }
  | { kind: "eq"; path: FieldPath; value: Scalar }
  | { kind: "in"; path: FieldPath; values: readonly Scalar[] }
  /** Bounds of one type, texts or numbers; at least one is there. */
  | { kind: "range"; path: FieldPath; lower: Bound | undefined; upper: Bound | undefined }
  | { kind: "exists"; path: FieldPath }
  /** The field is a list with this element. */
  | { kind: "contains"; path: FieldPath; value: Scalar }
  | { kind: "prefix"; path: FieldPath; prefix: string };

/** All of them, the undefined ones left out; undefined when there is none. */
export function allOf(...filters: readonly (Filter | undefined)[]): Filter | undefined {
  const given = filters.filter((filter) => filter !== undefined);
  return given.length < 2 ? given[0] : { kind: "and", filters: given };
}
