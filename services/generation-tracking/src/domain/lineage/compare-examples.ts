import type { RetrievedExample } from "../generation.ts";

/**
 * What became of an example: it has the rank that it had (same) or another one (moved), was not retrieved then (added), is not retrieved
 * any more (dropped), or is not even in the catalogue any more (deleted).
 */
export type ExampleChangeKind = "same" | "moved" | "added" | "dropped" | "deleted";

/** What became of one example. What it lacks then or today is undefined. */
export interface ExampleChange {
  imageId: bigint;
  imagePath: string;
  kind: ExampleChangeKind;
  rankThen: number | undefined;
  rankNow: number | undefined;
  similarityThen: number | undefined;
  similarityNow: number | undefined;
  /** Only of those that are retrieved in both. */
  captionChanged: boolean;
}

/** How two retrievals differ. */
export interface ExampleComparison {
  /** Each image once: those of today by rank, then those that are gone by the rank that they had. */
  changes: ExampleChange[];
  /** Images of then among those of today, 0 to 1; undefined when there were none then. */
  overlap: number | undefined;
}

/** What tells images apart: the id in the vector store, and the path of those that are not from there. */
export function imageKey({ imageId, imagePath }: Pick<RetrievedExample, "imageId" | "imagePath">): string {
  return imageId === 0n ? `path:${imagePath}` : `id:${imageId}`;
}

/**
 * How what is retrieved today differs from what was retrieved then. An image that was found several times counts once, at its best rank.
 * @param thenExamples by rank
 * @param nowExamples by rank
 * @param catalogued keys (imageKey) of those images that are gone from the hits and still in the catalogue
 */
export function compareExamples(
  thenExamples: readonly RetrievedExample[],
  nowExamples: readonly RetrievedExample[],
  catalogued: ReadonlySet<string>,
): ExampleComparison {
  const before = byImage(thenExamples);
  const after = byImage(nowExamples);
  const present = [...after].map(([key, now]): ExampleChange => {
    const then = before.get(key);
    return {
      imageId: now.imageId,
      imagePath: now.imagePath,
      kind: then === undefined ? "added" : then.rank === now.rank ? "same" : "moved",
      rankThen: then?.rank,
      rankNow: now.rank,
      similarityThen: then?.similarity,
      similarityNow: now.similarity,
      captionChanged: then !== undefined && then.caption !== now.caption,
    };
  });
  const gone = [...before]
    .filter(([key]) => !after.has(key))
    .map(([key, then]): ExampleChange => ({
      imageId: then.imageId,
      imagePath: then.imagePath,
      kind: catalogued.has(key) ? "dropped" : "deleted",
      rankThen: then.rank,
      rankNow: undefined,
      similarityThen: then.similarity,
      similarityNow: undefined,
      captionChanged: false,
    }));
  return {
    changes: [...present, ...gone],
    overlap: before.size === 0 ? undefined : (before.size - gone.length) / before.size,
  };
}

/** Images of then that are not among those of today, each once. */
export function missingImages(
  thenExamples: readonly RetrievedExample[],
  nowExamples: readonly RetrievedExample[],
): RetrievedExample[] {
  const after = byImage(nowExamples);
  return [...byImage(thenExamples)].filter(([key]) => !after.has(key)).map(([, example]) => example);
}

/** In the order of the examples, which is by rank. */
function byImage(examples: readonly RetrievedExample[]): Map<string, RetrievedExample> {
  const images = new Map<string, RetrievedExample>();
  for (const example of examples) {
    const key = imageKey(example);
    if (!images.has(key)) images.set(key, example);
  }
  return images;
}
