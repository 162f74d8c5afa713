import { KindredError } from "@kindred/errors";
import type pg from "pg";
import { COLLECTION, noCollection } from "../../domain/collection.ts";
import { spaceMismatch, type EmbeddingSpace } from "../../domain/embedding-space.ts";

/**
 * The first vectors set a collection's space; of several that come at once the first to commit. To be called in the transaction
 * that stores them, before they are.
 * @throws KindredError failed-precondition for another space than the pinned one, and for one whose vectors have another
 *   length; not-found when the collection is gone; aborted when it has another one than the caller knows, because it was moved.
 */
export async function pinSpace(
  client: pg.PoolClient,
  collection: string,
  space: EmbeddingSpace,
  known: EmbeddingSpace | undefined,
): Promise<void> {
  let pin = await readPin(client, collection);
  if (known && pin.pinned !== null && pin.pinned !== known.id) throw movedMeanwhile(collection, pin.pinned);
  if (pin.pinned === null) {
    if (pin.dimensions !== space.dimensions) {
      throw new KindredError(
        "failed-precondition",
        `the collection ${JSON.stringify(collection)} keeps vectors of ${pin.dimensions} dimensions, those of ` +
          `${JSON.stringify(space.id)} have ${space.dimensions}`,
      );
    }
    await addSpace(client, space);
    await client.query("UPDATE collections SET space_id = $2 WHERE name = $1 AND space_id IS NULL", [
      collection,
      space.id,
    ]);
    pin = await readPin(client, collection);
  }
  if (pin.pinned !== null && pin.pinned !== space.id) throw spaceMismatch(pin.pinned, space.id, collection);
}

/** Who prepared something for the space that a collection was in has to prepare it again. */
export function movedMeanwhile(collection: string, spaceId: string): KindredError {
  return new KindredError(
    "aborted",
    `the collection ${JSON.stringify(collection)} has just moved into the embedding space ${JSON.stringify(spaceId)}: try again`,
    { retryAfterMs: 20 },
  );
}

/** Makes the space known, which collections refer to. */
export async function addSpace(client: pg.PoolClient, space: EmbeddingSpace): Promise<void> {
  await client.query(
    `INSERT INTO embedding_spaces (id, provider, model, revision, dimensions, pooling, normalization, max_tokens)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING`,
    [
      space.id,
      space.provider,
      space.model,
      space.revision,
      space.dimensions,
      space.pooling,
      space.normalization,
      space.maxTokens,
    ],
  );
}

async function readPin(
  client: pg.PoolClient,
  collection: string,
): Promise<{ pinned: string | null; dimensions: number }> {
  const { rows } = await client.query<{ pinned: string | null; dimensions: number }>(
    "SELECT space_id AS pinned, dimensions FROM collections WHERE name = $1",
    [collection],
  );
  if (rows[0]) return rows[0];
  if (collection !== COLLECTION) throw noCollection(collection);
  throw new KindredError("data-loss", `the collection "${COLLECTION}" is missing from the database`);
}

/** The space with this id, which a collection refers to. */
export async function readSpace(client: pg.PoolClient, id: string): Promise<EmbeddingSpace | undefined> {
  const { rows } = await client.query<EmbeddingSpace>(
    `SELECT id, provider, model, revision, dimensions, pooling, normalization, max_tokens AS "maxTokens"
       FROM embedding_spaces WHERE id = $1`,
    [id],
  );
  return rows[0];
}
