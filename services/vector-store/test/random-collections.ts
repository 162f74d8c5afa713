import { ElementType as ElementMessage, Metric as MetricMessage } from "@kindred/contracts/vector-store/v1";
import fc from "fast-check";
import { escapeIdentifier } from "pg";
import { tableSql } from "../src/adapters/postgres/sql.ts";
import { metricsOf, type ElementType, type Metric } from "../src/domain/collection.ts";
import type { FieldPath, Filter } from "../src/domain/filter.ts";
import type { JsonObject } from "../src/domain/image.ts";
import { compareKeys } from "../src/domain/key-order.ts";
import type { KeyType } from "../src/domain/layout.ts";
import {
  anyField,
  filtersOn,
  integers,
  names,
  numbers as anyNumber,
  object,
  texts,
  type Field,
} from "./arbitrary-filters.ts";
import { wordVector } from "./fake-embedding.ts";
import type { Fixture } from "./fixture.ts";
import type { Numbers } from "./reference-distance.ts";
import type { ModelItem } from "./search-model.ts";

// Random collections and random searches of them.

export const METRICS: Record<Metric, MetricMessage> = {
  cosine: MetricMessage.COSINE,
  l2: MetricMessage.L2,
  "inner-product": MetricMessage.INNER_PRODUCT,
  l1: MetricMessage.L1,
  hamming: MetricMessage.HAMMING,
  jaccard: MetricMessage.JACCARD,
};
const ELEMENTS: Record<ElementType, ElementMessage> = {
  vector: ElementMessage.VECTOR,
  halfvec: ElementMessage.HALFVEC,
  bit: ElementMessage.BIT,
};
const CLASSES: Record<Metric, string> = {
  cosine: "cosine_ops",
  l2: "l2_ops",
  "inner-product": "ip_ops",
  l1: "l1_ops",
  hamming: "hamming_ops",
  jaccard: "jaccard_ops",
};

export interface Item extends ModelItem {
  document: string | undefined;
}

type Kind = "managed" | "registered";

/** A random collection: what is in it, and how it is made. */
export interface Setup {
  kind: Kind;
  elementType: ElementType;
  metric: Metric;
  keyType: KeyType;
  dimensions: number;
  /** Words, where its vectors are those of texts. */
  texts: boolean;
  items: Item[];
  index: "hnsw" | "ivfflat" | undefined;
  /** Undefined: one table. */
  hashPartitions: number | undefined;
}

export type Source =
  | { case: "vector"; numbers: Numbers }
  /** By position, modulo the number of items; `odd` writes it another way. */
  | { case: "key"; position: number; odd: boolean }
  | { case: "text"; text: string };

/** A random search; what depends on the collection is chosen by numbers. */
export interface Asked {
  sources: { source: Source; weight: number }[];
  several: boolean;
  metric: number;
  k: number;
  offset: number;
  /** Between which two similarities, as a share of all. */
  threshold: number | undefined;
  filter: Filter | undefined;
  group: { path: FieldPath; size: number } | undefined;
  exact: boolean;
  effort: number;
  projection: { vector: boolean; omitMetadata: boolean; metadataFields: string[]; omitDocument: boolean };
}

const WORDS = ["cat", "dog", "tree", "stone", "river"];
const sentences = fc
  .array(fc.constantFrom(...WORDS), { minLength: 1, maxLength: 3 })
  .map((words) => words.join(" "));

const columns: Field[] = [
  {
    path: fc.constant(["n"]),
    scalars: fc.oneof(integers, anyNumber, texts),
    texts,
    numbers: fc.oneof(anyNumber, integers),
    prefix: true,
  },
  {
    path: fc.constant(["t"]),
    scalars: fc.oneof(texts, fc.boolean()),
    texts,
    numbers: anyNumber,
    prefix: true,
  },
  {
    path: fc.constant(["b"]),
    scalars: fc.oneof(fc.boolean(), texts),
    texts,
    numbers: anyNumber,
    prefix: true,
  },
  { path: fc.constant(["tags"]), scalars: texts, texts, numbers: anyNumber, prefix: true },
  { ...anyField, path: fc.array(names, { minLength: 1, maxLength: 2 }).map((path) => ["j", ...path]) },
];

/** An empty prefix is refused. */
function withoutEmptyPrefixes(filter: Filter): Filter {
  switch (filter.kind) {
    case "and":
    case "or":
      return { ...filter, filters: filter.filters.map(withoutEmptyPrefixes) };
    case "not":
      return { ...filter, filter: withoutEmptyPrefixes(filter.filter) };
    case "prefix":
      return { ...filter, prefix: filter.prefix || "a" };
    default:
      return filter;
  }
}

const filtersOf = (kind: Kind): fc.Arbitrary<Filter> =>
  filtersOn(kind === "managed" ? [anyField] : columns).map(withoutEmptyPrefixes);

const fieldsOf = (kind: Kind): fc.Arbitrary<JsonObject> =>
  kind === "managed"
    ? fc.oneof({ weight: 1, arbitrary: fc.constant({}) }, { weight: 3, arbitrary: object })
    : fc.record({
        n: fc.option(fc.constantFrom(0, 1, -1, 2, 7)),
        t: fc.option(texts),
        b: fc.option(fc.boolean()),
        tags: fc.option(fc.array(texts, { maxLength: 3 })),
        j: fc.option(object),
      });

const groupPaths = (kind: Kind): fc.Arbitrary<FieldPath> =>
  kind === "managed"
    ? fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 2 })
    : fc.constantFrom<FieldPath[]>(["n"], ["t"], ["b"], ["tags"], ["j"], ["j", "a"]);

function numbersOf(elementType: ElementType, dimensions: number): fc.Arbitrary<number[]> {
  const value = elementType === "bit" ? fc.constantFrom(0, 1) : fc.constantFrom(-2, -1, -0.5, 0, 0.5, 1, 2);
  return fc.array(value, { minLength: dimensions, maxLength: dimensions });
}

/** Keys as they are stored. */
function keysOf(keyType: KeyType): fc.Arbitrary<string> {
  const number = fc.integer({ min: -40, max: 400 });
  if (keyType === "integer") return number.map(String);
  if (keyType === "uuid")
    return number.map((i) => `${(i + 100).toString(16).padStart(8, "a")}-0000-4000-8000-00000000000b`);
  return texts.filter((text) => text !== "");
}

export function setups(storage: "pgvector" | "json"): fc.Arbitrary<Setup> {
  const element =
    storage === "json"
      ? fc.constant<ElementType>("vector")
      : fc.constantFrom<ElementType[]>("vector", "vector", "halfvec", "bit");
  const kinds =
    storage === "json"
      ? fc.constant<Kind>("managed")
      : fc.constantFrom<Kind[]>("managed", "managed", "registered");
  return fc
    .record({
      kind: kinds,
      elementType: element,
      metric: fc.nat(3),
      dimensions: fc.integer({ min: 1, max: 9 }),
      ofTexts: fc.nat(3).map((n) => n === 0),
      key: fc.boolean(),
      index: fc.constantFrom<("hnsw" | "ivfflat" | undefined)[]>(undefined, "hnsw", "ivfflat"),
      hashPartitions: fc.constantFrom(undefined, undefined, 2, 5),
    })
    .chain(({ kind, elementType, metric: chosen, dimensions, ofTexts, key, index, hashPartitions }) => {
      const metrics = metricsOf(elementType);
      const metric = metrics[chosen % metrics.length] as Metric;
      const ofWords = ofTexts && elementType !== "bit" && kind === "managed";
      const keyType: KeyType = kind === "managed" ? "text" : key ? "integer" : "uuid";
      const vector = ofWords
        ? sentences.map((text) => roundTo(elementType, [...wordVector(text)]))
        : numbersOf(elementType, dimensions).map((numbers) =>
            // Nobody can store a vector without direction where directions are compared.
            metric === "cosine" && numbers.every((value) => value === 0) ? [1, ...numbers.slice(1)] : numbers,
          );
      const item = fc.record({
        key: keysOf(keyType),
        numbers: kind === "registered" ? fc.option(vector, { nil: undefined, freq: 8 }) : vector,
        fields: fieldsOf(kind),
        document:
          kind === "managed"
            ? fc.option(fc.constantFrom("a tree", "two cats"), { nil: undefined })
            : fc.constant(undefined),
      });
      // What pgvector has no IVFFlat index for: cosine of one dimension too.
      const noLists = metric === "l1" || metric === "jaccard" || (dimensions === 1 && !ofWords);
      const serving = index === "ivfflat" && noLists ? "hnsw" : index;
      return fc
        .uniqueArray(item, { minLength: 1, maxLength: 40, selector: (each) => each.key, size: "max" })
        .map((items): Setup => ({
          kind,
          elementType,
          metric,
          keyType,
          dimensions: ofWords ? 384 : dimensions,
          texts: ofWords,
          items: items.toSorted((a, b) => compareKeys(keyType)(a.key, b.key)),
          index: storage === "json" ? undefined : serving,
          hashPartitions: storage === "json" ? undefined : hashPartitions,
        }));
    });
}

export function searches({ kind, elementType, dimensions, texts: ofWords }: Setup): fc.Arbitrary<Asked> {
  const source = fc.oneof<fc.Arbitrary<Source>[]>(
    ofWords
      ? sentences.map((text): Source => ({ case: "text", text }))
      : numbersOf(elementType, dimensions).map((numbers): Source => ({ case: "vector", numbers })),
    fc.record({ case: fc.constant("key" as const), position: fc.nat(1000), odd: fc.boolean() }),
  );
  return fc.record({
    sources: fc.array(fc.record({ source, weight: fc.constantFrom(1, 0.5, -0.25, 2) }), {
      minLength: 1,
      maxLength: 3,
    }),
    several: elementType === "bit" ? fc.constant(false) : fc.boolean(),
    metric: fc.nat(3),
    k: fc.oneof({ weight: 3, arbitrary: fc.integer({ min: 1, max: 6 }) }, fc.integer({ min: 1, max: 50 })),
    offset: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(45)),
    threshold: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
    filter: fc.option(filtersOf(kind), { nil: undefined }),
    group: fc.option(fc.record({ path: groupPaths(kind), size: fc.integer({ min: 1, max: 4 }) }), {
      nil: undefined,
      freq: 2,
    }),
    exact: fc.nat(3).map((n) => n === 0),
    effort: fc.constantFrom(0, 1, 5, 40),
    projection: fc.record({
      vector: fc.boolean(),
      omitMetadata: fc.boolean(),
      metadataFields: fc.constantFrom<string[][]>([], ["a", "n", "nowhere"]),
      omitDocument: fc.boolean(),
    }),
  });
}

export function roundTo(elementType: ElementType, numbers: Numbers): number[] {
  return numbers.map((value) => (elementType === "halfvec" ? Math.f16round(value) : Math.fround(value)));
}

export function pack(elementType: ElementType, numbers: Numbers): Uint8Array {
  if (elementType !== "bit") {
    const bytes = Buffer.alloc(4 * numbers.length);
    for (const [i, value] of numbers.entries()) bytes.writeFloatLE(value, 4 * i);
    return bytes;
  }
  const bytes = new Uint8Array(Math.ceil(numbers.length / 8));
  for (const [i, bit] of numbers.entries())
    bytes[i >> 3] = (bytes[i >> 3] as number) | (bit << (7 - (i & 7)));
  return bytes;
}

let made = 0;

export async function make(fixture: Fixture, setup: Setup): Promise<string> {
  const name = `random_${++made}`;
  if (setup.kind === "managed") await makeManaged(fixture, setup, name);
  else await makeRegistered(fixture, setup, name);
  if (setup.index) {
    const { layout } = await fixture.store.collections.get(name);
    const lists = setup.index === "ivfflat" ? "WITH (lists = 3)" : "";
    await fixture.db.query(
      `CREATE INDEX ON ${tableSql(layout.vectors)} USING ${setup.index}
         (${escapeIdentifier(layout.vector.column)} ${setup.elementType}_${CLASSES[setup.metric]}) ${lists}`,
    );
  }
  return name;
}

async function makeManaged(fixture: Fixture, setup: Setup, name: string): Promise<void> {
  const { elementType, items, metric, dimensions, hashPartitions } = setup;
  await fixture.collections.createCollection({
    name,
    dimensions,
    elementType: ELEMENTS[elementType],
    metric: METRICS[metric],
    hashPartitions: hashPartitions ?? 0,
  });
  // In no order.
  const shuffled = items.toSorted((a, b) => a.key.length - b.key.length);
  await fixture.vectors.upsert({
    collection: name,
    items: {
      keys: shuffled.map(({ key }) => key),
      vectors: Buffer.concat(shuffled.map(({ numbers }) => pack(elementType, numbers as Numbers))),
      metadata: shuffled.map(({ fields }) => fields),
      documents: shuffled.map(({ document }) => document ?? ""),
    },
  });
}

async function makeRegistered({ db, collections }: Fixture, setup: Setup, name: string): Promise<void> {
  const { elementType, keyType, dimensions, items, metric, hashPartitions } = setup;
  const table = `"Odd ""${name}"""`;
  await db.query(`
    CREATE TABLE public.${table} ("The ""Key" ${keyType} PRIMARY KEY, "Vec""tor" ${elementType}(${dimensions}),
      n integer, t text, b boolean, tags text[], j jsonb) ${hashPartitions ? 'PARTITION BY HASH ("The ""Key")' : ""}`);
  for (let i = 0; i < (hashPartitions ?? 0); i++) {
    await db.query(`CREATE TABLE public."${name}_${i}" PARTITION OF public.${table}
      FOR VALUES WITH (MODULUS ${hashPartitions}, REMAINDER ${i})`);
  }
  const text = (numbers: Numbers): string =>
    elementType === "bit" ? numbers.join("") : `[${numbers.join(",")}]`;
  for (const { key, numbers, fields } of items) {
    await db.query(`INSERT INTO public.${table} VALUES ($1, $2, $3, $4, $5, $6, $7)`, [
      key,
      numbers ? text(numbers) : null,
      ...["n", "t", "b", "tags"].map((column) => fields[column] ?? null),
      fields["j"] === null ? null : JSON.stringify(fields["j"]),
    ]);
  }
  await collections.registerCollection({
    name,
    metric: METRICS[metric],
    table: { schema: "public", table: `Odd "${name}"` },
  });
}

export async function unmake({ db, collections }: Fixture, { kind }: Setup, name: string): Promise<void> {
  await collections.deleteCollection({ name });
  if (kind === "registered") await db.query(`DROP TABLE public."Odd ""${name}"""`);
}
