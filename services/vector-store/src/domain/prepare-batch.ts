import { invalidField } from "@kindred/errors";
import {
  parseSpaceId,
  requireDimensions,
  SPACE_ID_FORM,
  spaceMismatch,
  type EmbeddingSpace,
} from "./embedding-space.ts";
import { noImage } from "./no-image.ts";
import { pathTaken } from "./path-taken.ts";
import type { ImageBatch, NewEmbedding, NewImage } from "./new-image.ts";
import { COLLECTION, VECTOR_BYTES } from "./collection.ts";
import type { CollectionRepository } from "./item-ports.ts";
import type {
  CallLimits,
  CatalogueWriter,
  EmbeddingPort,
  EmbeddingRow,
  EmbedOptions,
  KnownImage,
  PreparedBatch,
} from "./ports.ts";

export interface PrepareDeps {
  catalogue: Pick<CatalogueWriter, "knownByPath" | "knownById">;
  collections: Pick<CollectionRepository, "get">;
  embedding: EmbeddingPort;
}

export type PrepareOptions = CallLimits & Pick<EmbedOptions, "priority">;

/** An embedding that the catalogue lacks, and where it stands in the request. */
interface Missing {
  image: number;
  position: number;
  embedding: NewEmbedding;
}

/** What the catalogue has of a batch, and what it lacks. */
export interface Lookup {
  /** Parallel to the batch's images; undefined for those that are new. */
  known: readonly (KnownImage | undefined)[];
  missing: readonly Missing[];
  /** The catalogue's space; undefined before the first embedding. */
  pinned: EmbeddingSpace | undefined;
}

/**
 * Finds out what of a batch the catalogue lacks.
 * @throws KindredError already-exists and not-found for images.
 */
export async function lookUp(deps: PrepareDeps, batch: ImageBatch, limits: CallLimits): Promise<Lookup> {
  const known = await findKnown(deps, batch, limits);
  const missing = missingEmbeddings(batch.images, known);
  const { space } = missing.length > 0 ? await deps.collections.get(COLLECTION) : { space: undefined };
  return { known, missing, pinned: space };
}

/**
 * Has the texts that the catalogue lacks embedded, in one call that is made at once. What is stored already is not embedded again.
 * @throws KindredError failed-precondition for vectors of another space.
 */
export async function completeBatch(
  deps: Pick<PrepareDeps, "embedding">,
  batch: ImageBatch,
  { known, missing, pinned }: Lookup,
  options: PrepareOptions,
): Promise<PreparedBatch> {
  const embedded = await embedMissing(deps, batch, missing, pinned, options);
  return {
    images: batch.images.map(({ target }, index) => {
      const image = known[index];
      if (image) return { id: image.id };
      return target.kind === "fields" ? target.fields : { id: target.id };
    }),
    rows: embedded.rows,
    space: embedded.space,
    pinned,
    onConflict: batch.onConflict,
  };
}

/** Both of them. Nothing is written. */
export async function prepareBatch(
  deps: PrepareDeps,
  batch: ImageBatch,
  options: PrepareOptions,
): Promise<PreparedBatch> {
  return await completeBatch(deps, batch, await lookUp(deps, batch, options), options);
}

/** What is stored of each image of the batch; undefined for those that are new. */
async function findKnown(
  { catalogue }: PrepareDeps,
  batch: ImageBatch,
  limits: CallLimits,
): Promise<(KnownImage | undefined)[]> {
  const paths = batch.images.flatMap(({ target }) =>
    target.kind === "fields" ? [target.fields.imagePath] : [],
  );
  const byPath =
    paths.length > 0 ? await catalogue.knownByPath(paths, limits) : new Map<string, KnownImage>();
  return await Promise.all(
    batch.images.map(async ({ target }) => {
      if (target.kind === "stored") {
        const image = await catalogue.knownById(target.id, limits);
        if (!image) throw noImage({ id: target.id });
        return image;
      }
      const image = byPath.get(target.fields.imagePath);
      if (image && batch.onConflict === "error") throw pathTaken(target.fields.imagePath, image.id);
      return image;
    }),
  );
}

function missingEmbeddings(
  images: readonly NewImage[],
  known: readonly (KnownImage | undefined)[],
): Missing[] {
  return images.flatMap(({ embeddings }, image) => {
    const keys = new Set(known[image]?.keys);
    return embeddings.flatMap((embedding, position): Missing[] => {
      if (keys.has(embedding.key)) return [];
      // The same text twice in one image is one embedding.
      keys.add(embedding.key);
      return [{ image, position, embedding }];
    });
  });
}

async function embedMissing(
  deps: Pick<PrepareDeps, "embedding">,
  batch: ImageBatch,
  missing: readonly Missing[],
  pinned: EmbeddingSpace | undefined,
  options: PrepareOptions,
): Promise<Pick<PreparedBatch, "rows" | "space">> {
  if (missing.length === 0) return { rows: [], space: undefined };
  const named = requireOneSpace(batch, missing, pinned);
  const texts = missing.flatMap(({ embedding: { source } }) => (source.kind === "text" ? [source.text] : []));
  const embedded =
    texts.length > 0
      ? await deps.embedding.embed(texts, { ...options, expectedSpaceId: pinned?.id })
      : undefined;
  // Vectors whose space nobody names are compared with what texts are embedded into.
  const space = embedded?.space ?? named ?? (await deps.embedding.servedSpace(options));
  if (named && named.id !== space.id) throw spaceMismatch(named.id, space.id);
  requireDimensions(space);
  let start = 0;
  const nextVector = (): Uint8Array =>
    (embedded as { vectors: Uint8Array }).vectors.subarray(start, (start += VECTOR_BYTES));
  return { rows: missing.map((entry) => toRow(entry, space, nextVector)), space };
}

/**
 * The space that the catalogue or the callers' vectors name; undefined when neither does.
 * @throws KindredError when they name different ones, or one whose id says nothing about it.
 */
function requireOneSpace(
  batch: ImageBatch,
  missing: readonly Missing[],
  pinned: EmbeddingSpace | undefined,
): EmbeddingSpace | undefined {
  let required = pinned;
  for (const { image, position, embedding } of missing) {
    const { source } = embedding;
    if (source.kind === "text" || source.spaceId === "") continue;
    if (required && source.spaceId !== required.id) throw spaceMismatch(required.id, source.spaceId);
    required ??= parseSpaceId(source.spaceId);
    if (!required) {
      throw invalidField(
        `${batch.pathOf(image, position)}.vector.space_id`,
        `must be the id of an embedding space, ${SPACE_ID_FORM}, is ${JSON.stringify(source.spaceId)}`,
      );
    }
  }
  return required;
}

function toRow(
  { image, embedding }: Missing,
  space: EmbeddingSpace,
  nextVector: () => Uint8Array,
): EmbeddingRow {
  const { key, source, embeddingType, modelType, modelName, metadata } = embedding;
  if (source.kind === "vector") {
    return { image, key, vector: source.data, embeddingType, modelType, modelName, metadata };
  }
  return {
    image,
    key,
    vector: nextVector(),
    embeddingType,
    modelType: modelType || modelFamily(space),
    modelName: modelName || space.model,
    metadata: { ...metadata, text: source.text },
  };
}

/** Who publishes the model, e.g. "sentence-transformers"; the provider where its name does not say. */
function modelFamily({ model, provider }: EmbeddingSpace): string {
  const publisher = model.includes("/") ? model.slice(0, model.indexOf("/")) : provider;
  return publisher.slice(0, 100);
}
