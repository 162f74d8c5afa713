import fc from "fast-check";
import type { FieldPath, Filter, Scalar } from "../src/domain/filter.ts";
import type { JsonObject, JsonValue } from "../src/domain/image.ts";

// Random documents and filters that have much in common, so that many conditions hold; among their names and values are
// those that would do harm where text became SQL, JSON or a pattern.

const NASTY = [
  "'; DROP TABLE v_items; --",
  `"; DELETE FROM v_vectors; --`,
  "$1",
  "\\",
  "\\'",
  `{"a":1}`,
  "a.b",
  "a,b",
  "%",
  "_",
  "*",
  "?",
  "\u0001",
  "\n",
  "é",
  "e\u0301",
  // In this order by code point, in the other one by UTF-16.
  "\ue000",
  "\u{10000}",
  "😀",
];

/** Well-formed, without NUL, as the RPCs see to it. */
const anyText = fc.string({ unit: "binary", maxLength: 6 }).filter((text) => !text.includes("\0"));

export const texts = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("", "a", "b", "ab", "abc", "B", "1", "true", "null") },
  { weight: 3, arbitrary: fc.constantFrom(...NASTY) },
  { weight: 1, arbitrary: anyText },
);

export const names = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("a", "b", "0") },
  { weight: 1, arbitrary: fc.constantFrom(...NASTY, "__proto__", "constructor", "length", "-1") },
);

export const numbers = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0, -0, 1, -1, 2, 0.1, 1.5) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      5e-324,
      -1e-7,
      1.7976931348623157e308,
      2 ** 53,
      2 ** 53 + 2,
      2 ** 60,
      2 ** 63,
      -1e21,
    ),
  },
  { weight: 1, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) },
);

export const integers = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      0n,
      1n,
      -1n,
      2n,
      2n ** 53n,
      2n ** 53n + 1n,
      2n ** 60n,
      1152921504606847000n,
      2n ** 63n - 1n,
      -(2n ** 63n),
    ),
  },
  { weight: 1, arbitrary: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) },
);

export const scalars: fc.Arbitrary<Scalar> = fc.oneof(texts, numbers, integers, fc.boolean());

export const { json, object } = fc.letrec<{ json: JsonValue; object: JsonObject }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    { weight: 3, arbitrary: texts },
    { weight: 3, arbitrary: numbers },
    { weight: 1, arbitrary: fc.constantFrom(null, true, false) },
    { weight: 2, arbitrary: tie("object") },
    { weight: 2, arbitrary: fc.array(tie("json"), { maxLength: 3 }) },
  ),
  object: fc
    .array(fc.tuple(names, tie("json")), { maxLength: 4 })
    .map((members) => Object.fromEntries(members) as JsonObject),
}));

/** What conditions are about: which scalars may be compared with a field, and in what ways. */
export interface Field {
  path: fc.Arbitrary<FieldPath>;
  scalars: fc.Arbitrary<Scalar>;
  /** Bounds of ranges. */
  texts: fc.Arbitrary<string>;
  numbers: fc.Arbitrary<number | bigint>;
  prefix: boolean;
}

export const anyField: Field = {
  path: fc.array(names, { minLength: 1, maxLength: 3 }),
  scalars,
  texts,
  numbers: fc.oneof(numbers, integers),
  prefix: true,
};

function fieldConditions({ path, scalars: values, ...bounds }: Field): fc.Arbitrary<Filter> {
  const range = (value: fc.Arbitrary<Scalar>): fc.Arbitrary<Filter> => {
    const bound = fc.record({ value, inclusive: fc.boolean() });
    const both = fc.tuple(fc.option(bound, { nil: undefined }), fc.option(bound, { nil: undefined }));
    return fc
      .tuple(path, both)
      .filter(([, [lower, upper]]) => lower !== undefined || upper !== undefined)
      .map(([field, [lower, upper]]) => ({ kind: "range", path: field, lower, upper }));
  };
  const found: fc.Arbitrary<Filter>[] = [
    fc.record({ kind: fc.constant("eq"), path, value: values }),
    fc.record({ kind: fc.constant("in"), path, values: fc.array(values, { maxLength: 20 }) }),
    fc.record({ kind: fc.constant("contains"), path, value: values }),
    fc.record({ kind: fc.constant("exists"), path }),
    range(bounds.texts),
    range(bounds.numbers),
  ];
  if (bounds.prefix) found.push(fc.record({ kind: fc.constant("prefix"), path, prefix: texts }));
  return fc.oneof(...found);
}

export function filtersOn(fields: readonly Field[]): fc.Arbitrary<Filter> {
  const { filter } = fc.letrec<{ filter: Filter }>((tie) => {
    const several = fc.array(tie("filter"), { maxLength: 3 });
    return {
      filter: fc.oneof(
        { maxDepth: 4, withCrossShrink: true },
        { weight: 4, arbitrary: fc.oneof(...fields.map(fieldConditions)) },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant("and"), filters: several }) },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant("or"), filters: several }) },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant("not"), filter: tie("filter") }) },
      ),
    };
  });
  return filter;
}
