import { invalidField, invalidFields, KindredError } from "@kindred/errors";
import { metricsOf, type Collection, type IndexPolicy } from "./collection.ts";
import { spaceMismatch, type EmbeddingSpace } from "./embedding-space.ts";
import { policyProblems, unfittingPolicy, usualMaintenance } from "./index-policy.ts";
import type { CollectionChanges } from "./item-ports.ts";

/**
 * The collection with the changes.
 * @param hasVectors asked only where the answer matters
 * @throws KindredError invalid-argument, with paths in UpdateCollectionRequest, for what does not fit the collection;
 *   failed-precondition when its space cannot be named any more.
 */
export async function changedCollection(
  collection: Collection,
  changes: CollectionChanges,
  hasVectors: () => Promise<boolean>,
): Promise<Collection> {
  const { recallTarget = collection.recallTarget, metric = collection.metric } = changes;
  if (changes.metric) requireMetric(collection, changes.metric, "collection.metric");
  const wanted = { ...collection.indexPolicy, ...changes.indexPolicy };
  const indexPolicy = { ...wanted, maintenance: wanted.maintenance ?? usualMaintenance(collection) };
  if (changes.indexPolicy) requirePolicy(indexPolicy, collection, "collection.index_policy");
  const space = changes.space ? await settledSpace(collection, changes.space, hasVectors) : collection.space;
  return { ...collection, recallTarget, metric, indexPolicy, space };
}

async function settledSpace(
  collection: Collection,
  space: EmbeddingSpace,
  hasVectors: () => Promise<boolean>,
): Promise<EmbeddingSpace> {
  requireSpaceFits(collection, space, "collection.space_id");
  if (collection.space) {
    if (collection.space.id === space.id) return collection.space;
    throw spaceMismatch(collection.space.id, space.id, collection.name);
  }
  // Of vectors that were stored without a space nobody knows theirs; the owner of a registered table may.
  if (collection.kind !== "registered" && (await hasVectors())) {
    throw new KindredError(
      "failed-precondition",
      `the collection ${JSON.stringify(collection.name)} has vectors that came without a space: its space can be named only ` +
        "while it is empty; store them in a new collection that has this space",
    );
  }
  return space;
}

/** @throws KindredError invalid-argument on members of `field` */
export function requirePolicy(
  policy: IndexPolicy,
  collection: Pick<Collection, "dimensions" | "elementType">,
  field: string,
): void {
  const problems = [...policyProblems(policy), ...unfittingPolicy(policy, collection)];
  if (problems.length === 0) return;
  throw invalidFields(
    problems.map((problem) => ({ field: `${field}.${problem.field}`, description: problem.description })),
  );
}

/** @throws KindredError invalid-argument on `field` */
export function requireMetric(
  { elementType }: Pick<Collection, "elementType">,
  metric: Collection["metric"],
  field: string,
): void {
  const metrics = metricsOf(elementType);
  if (metrics.includes(metric)) return;
  throw invalidField(field, `must be one for ${elementType}: ${metrics.join(", ")}; is ${metric}`);
}

/** @throws KindredError invalid-argument on `field` */
export function requireSpaceFits(
  { dimensions }: Pick<Collection, "dimensions">,
  space: EmbeddingSpace,
  field: string,
): void {
  if (space.dimensions === dimensions) return;
  throw invalidField(
    field,
    `is of vectors with ${space.dimensions} dimensions, the collection's have ${dimensions}`,
  );
}
