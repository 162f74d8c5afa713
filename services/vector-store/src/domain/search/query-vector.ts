import { invalidField, invalidFields, KindredError, type FieldViolation } from "@kindred/errors";
import { vectorBytes, type Collection, type Metric } from "../collection.ts";
import { spaceMismatch } from "../embedding-space.ts";
import type { Filter } from "../filter.ts";
import type { ItemStore } from "../item-ports.ts";
import { readKey } from "../items/key-form.ts";
import { IMAGE_ID_FIELD } from "../layout.ts";
import { noImage } from "../no-image.ts";
import { packFloats, unpackFloats, vectorProblem, type PackedVector } from "../packed-vector.ts";
import type { CallLimits, EmbeddingPort, ImageRepository } from "../ports.ts";
import type { QuerySource, SearchQuery, WeightedSource } from "./search-query.ts";

export interface QueryVectorDeps {
  items: Pick<ItemStore, "get" | "list">;
  images: Pick<ImageRepository, "find">;
}

/** Vectors of texts, by text. */
export type EmbeddedTexts = ReadonlyMap<string, PackedVector>;

/** Every text that the query has to be embedded for. */
export function textsOf({ by }: SearchQuery): string[] {
  return sourcesOf(by).flatMap((source) => (source.kind === "text" ? [source.text] : []));
}

/**
 * Texts as vectors of the collection's space, in one Embed call.
 * @throws KindredError failed-precondition where they could not be compared with the collection's vectors; unavailable.
 */
export async function embedTexts(
  { embedding }: { embedding: Pick<EmbeddingPort, "embed"> },
  collection: Collection,
  texts: readonly string[],
  limits: CallLimits,
): Promise<EmbeddedTexts> {
  const distinct = [...new Set(texts)];
  if (distinct.length === 0) return new Map();
  if (collection.elementType === "bit" || (collection.kind === "registered" && !collection.space)) {
    throw noTextSpace(collection);
  }
  const { vectors, space } = await embedding.embed(distinct, {
    ...limits,
    priority: "interactive",
    expectedSpaceId: collection.space?.id,
  });
  if (space.dimensions !== collection.dimensions) {
    throw new KindredError(
      "failed-precondition",
      `the vectors of ${JSON.stringify(collection.name)} have ${collection.dimensions} dimensions, those of ` +
        `${JSON.stringify(space.id)}, which texts are embedded into, have ${space.dimensions}`,
    );
  }
  const bytes = vectorBytes(collection);
  return new Map(distinct.map((text, i) => [text, vectors.subarray(i * bytes, (i + 1) * bytes)]));
}

function noTextSpace({ name, elementType }: Collection): KindredError {
  const why =
    elementType === "bit"
      ? "its vectors are bits, and no model embeds texts into those: search by vector or by key"
      : "nobody knows its embedding space: name it by UpdateCollection, or search by vector or by key";
  return new KindredError(
    "failed-precondition",
    `${JSON.stringify(name)} cannot be searched by text: ${why}`,
  );
}

/** A collection, and the distance that a search of it uses. */
export interface SearchedCollection {
  collection: Collection;
  metric: Metric;
}

/**
 * The query with its keys in the form in which the store gives them back.
 * @throws KindredError invalid-argument that names those which are none.
 */
export function withStoredKeys(collection: Collection, query: SearchQuery): SearchQuery {
  const violations: FieldViolation[] = [];
  const read = <T extends QuerySource>(source: T): T => {
    if (source.kind !== "key") return source;
    const result = readKey(collection.layout.key.type, source.key);
    if ("key" in result) return { ...source, key: result.key };
    violations.push({ field: source.field, description: result.problem });
    return source;
  };
  const { by } = query;
  if (by.kind === "image") return query;
  const stored =
    by.kind === "several"
      ? { ...by, queries: by.queries.map((each) => ({ ...each, source: read(each.source) })) }
      : read(by);
  if (violations.length > 0) throw invalidFields(violations);
  return { ...query, by: stored };
}

/** What a query is made of is no hit. */
export function exclusionsOf({ by }: SearchQuery): { keys: string[]; filter: Filter | undefined } {
  if (by.kind === "image") return { keys: [], filter: { kind: "not", filter: isOfImage(by.id) } };
  return {
    keys: sourcesOf(by).flatMap((source) => (source.kind === "key" ? [source.key] : [])),
    filter: undefined,
  };
}

function isOfImage(id: bigint): Filter {
  return { kind: "eq", path: [IMAGE_ID_FIELD], value: id };
}

/**
 * The vector to search with.
 * @param texts with every text of the query
 * @throws KindredError not-found for a key or an image; invalid-argument where several queries cancel each other out
 */
export async function queryVector(
  deps: QueryVectorDeps,
  collection: Collection,
  { by }: SearchQuery,
  texts: EmbeddedTexts,
  limits: CallLimits,
): Promise<PackedVector> {
  switch (by.kind) {
    case "image":
      return await vectorOfImage(deps, collection, by.id, limits);
    case "several":
      return await weightedSum(deps, collection, by.queries, texts, limits);
    default: {
      const stored = await storedVectors(deps, collection, [by], limits);
      return vectorOf(by, texts, stored);
    }
  }
}

/**
 * What can be said of the query before anything is asked of anybody.
 * @throws KindredError invalid-argument for a vector of another shape; failed-precondition for another space.
 */
export function requireFit({ collection, metric }: SearchedCollection, { by }: SearchQuery): void {
  if (by.kind === "several" && collection.elementType === "bit") {
    throw invalidField(by.field, "cannot be asked of a collection of bits, which have no sum");
  }
  for (const source of sourcesOf(by)) {
    if (source.kind !== "vector") continue;
    const problem = vectorProblem(source.data, collection, metric);
    if (problem !== undefined) throw invalidField(`${source.field}.data`, problem);
    if (source.spaceId !== "" && collection.space && source.spaceId !== collection.space.id) {
      throw spaceMismatch(collection.space.id, source.spaceId, collection.name);
    }
  }
}

function sourcesOf(by: SearchQuery["by"]): readonly QuerySource[] {
  switch (by.kind) {
    case "image":
      return [];
    case "several":
      return by.queries.map(({ source }) => source);
    default:
      return [by];
  }
}

function vectorOf(
  source: QuerySource,
  texts: EmbeddedTexts,
  stored: ReadonlyMap<string, PackedVector>,
): PackedVector {
  switch (source.kind) {
    case "text":
      return texts.get(source.text) as PackedVector;
    case "key":
      return stored.get(source.key) as PackedVector;
    case "vector":
      return source.data;
  }
}

async function storedVectors(
  { items }: QueryVectorDeps,
  collection: Collection,
  sources: readonly QuerySource[],
  limits: CallLimits,
): Promise<ReadonlyMap<string, PackedVector>> {
  const keyed = sources.filter((source) => source.kind === "key");
  if (keyed.length === 0) return new Map();
  const keys = [...new Set(keyed.map(({ key }) => key))];
  const found = await items.get(
    collection,
    keys,
    { vector: true, metadata: "none", document: false },
    limits,
  );
  const vectors = new Map<string, PackedVector>();
  const known = new Set<string>();
  for (const { key, vector } of found) {
    known.add(key);
    if (vector) vectors.set(key, vector);
  }
  const missing = keyed.find(({ key }) => !vectors.has(key));
  if (!missing) return vectors;
  const named = `the key ${JSON.stringify(missing.key)} in ${JSON.stringify(collection.name)}`;
  // A row of a user's table may be without.
  throw known.has(missing.key)
    ? new KindredError("failed-precondition", `${missing.field}: the item with ${named} has no vector`)
    : new KindredError("not-found", `${missing.field}: there is no item with ${named}`);
}

async function vectorOfImage(
  { items, images }: QueryVectorDeps,
  collection: Collection,
  id: bigint,
  limits: CallLimits,
): Promise<PackedVector> {
  const projection = { vector: true, metadata: "none", document: false } as const;
  const [first] = await items.list(
    collection,
    { filter: isOfImage(id), afterKey: undefined, limit: 1, projection },
    limits,
  );
  if (!first?.vector) {
    if (!(await images.find({ id }, limits))) throw noImage({ id });
    throw new KindredError(
      "failed-precondition",
      `image ${id} has no embedding to search with: add one first`,
    );
  }
  return first.vector;
}

/** The sum of unit vectors times weights. Its length does not matter to the cosine, and is 1 for the other metrics. */
async function weightedSum(
  deps: QueryVectorDeps,
  collection: Collection,
  queries: readonly WeightedSource[],
  texts: EmbeddedTexts,
  limits: CallLimits,
): Promise<PackedVector> {
  const sources = queries.map(({ source }) => source);
  const stored = await storedVectors(deps, collection, sources, limits);
  const sum = new Float64Array(collection.dimensions);
  for (const { source, weight } of queries) {
    const values = unpackFloats(vectorOf(source, texts, stored));
    // A stored zero vector points nowhere.
    const scale = weight / (lengthOf(values) || 1);
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + scale * (values[i] as number);
  }
  const length = lengthOf(sum);
  // What is left of vectors that cancel out is rounding: a direction that means nothing.
  if (length < 1e-6 * queries.reduce((total, { weight }) => total + Math.abs(weight), 0)) {
    throw invalidField("several.queries", "cancel each other out: there is no direction left to search in");
  }
  return packFloats(sum.map((value) => value / length));
}

function lengthOf(values: Float32Array | Float64Array): number {
  let squares = 0;
  for (const value of values) squares += value * value;
  return Math.sqrt(squares);
}
