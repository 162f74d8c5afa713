import { invalidField, KindredError, messageOf } from "@kindred/errors";
import { sqlStateOf, type Database, type ServerCapabilities } from "@kindred/postgres";
import type pg from "pg";
import { COLLECTION } from "../../domain/collection.ts";
import type { ImageFields } from "../../domain/image.ts";
import { pathTaken } from "../../domain/path-taken.ts";
import type {
  CallLimits,
  CatalogueWriter,
  KnownImage,
  PreparedBatch,
  StoredBatch,
} from "../../domain/ports.ts";
import { TOO_MANY_WORDS } from "../../domain/text-problem.ts";
import { isTooManyWords } from "./document-limit.ts";
import { insertEmbeddings } from "./insert-embeddings.ts";
import { pinSpace } from "./space-pin.ts";

/** Deadlock, serialisation failure, and a row that refers to an image which is gone: what was read before is stale. */
const RACES = new Set(["40P01", "40001", "23503"]);

/** Ten thousand rows take long where an index has to take them in too; a caller that gives up ends it at any time. */
const STORE_TIMEOUT_MS = 600_000;

/** Writes in transactions of their own; every row that several may want is locked in the same order. */
export function catalogueWriter(db: Database): CatalogueWriter {
  const read = <R extends pg.QueryResultRow>(
    sql: string,
    params: unknown[],
    limits: CallLimits,
  ): Promise<pg.QueryResult<R>> =>
    db.transaction((client) => client.query<R>(sql, params), { ...limits, readOnly: true });
  return {
    async knownByPath(paths, limits) {
      const { rows } = await read<{ image_path: string; id: string; keys: string[] }>(
        `SELECT i.image_path, i.id, array_remove(array_agg(e.embedding_key), NULL) AS keys
           FROM images i LEFT JOIN embeddings e ON e.image_id = i.id
          WHERE i.image_path = ANY($1::text[]) GROUP BY i.id`,
        [paths],
        limits,
      );
      return new Map(rows.map((row) => [row.image_path, toKnown(row)]));
    },

    async knownById(id, limits) {
      const { rows } = await read<{ id: string; keys: string[] }>(
        `SELECT i.id, array_remove(array_agg(e.embedding_key), NULL) AS keys
           FROM images i LEFT JOIN embeddings e ON e.image_id = i.id WHERE i.id = $1 GROUP BY i.id`,
        [String(id)],
        limits,
      );
      return rows[0] && toKnown(rows[0]);
    },

    async store(batch, limits) {
      try {
        const timeoutMs = limits.timeoutMs ?? STORE_TIMEOUT_MS;
        return await db.transaction((client) => store(client, db.capabilities, batch), {
          ...limits,
          timeoutMs,
        });
      } catch (error) {
        if (isTooManyWords(error)) throw tooManyWords(batch, error);
        if (!RACES.has(sqlStateOf(error) ?? "")) throw error;
        throw changedMeanwhile(messageOf(error), error);
      }
    },

    async remove(imageId, limits) {
      return await db.transaction(async (client) => {
        // Locked first: nothing can be added to it between the count and the end.
        const { rowCount } = await client.query("SELECT 1 FROM images WHERE id = $1 FOR UPDATE", [
          String(imageId),
        ]);
        if (rowCount === 0) return undefined;
        const deleted = await client.query("DELETE FROM embeddings WHERE image_id = $1", [String(imageId)]);
        await client.query("DELETE FROM images WHERE id = $1", [String(imageId)]);
        return deleted.rowCount ?? 0;
      }, limits);
    },

    async refreshStatistics() {
      try {
        // An index that is being built holds the lock for long.
        await db.query("ANALYZE (SKIP_LOCKED) images, embeddings");
      } catch (error) {
        db.logger.warn({ err: error }, "the planner's statistics could not be brought up to date");
      }
    },
  };
}

function toKnown(row: { id: string; keys: string[] }): KnownImage {
  return { id: BigInt(row.id), keys: new Set(row.keys) };
}

/** Which of several images it is only the longest descriptions tell. */
function tooManyWords({ images }: PreparedBatch, cause: unknown): KindredError {
  const described = images.flatMap((image) => ("imagePath" in image ? [image] : []));
  if (images.length === 1) return invalidField("image.description", TOO_MANY_WORDS);
  const [longest] = described.toSorted((a, b) => b.description.length - a.description.length);
  return new KindredError(
    "invalid-argument",
    `the description of ${JSON.stringify(longest?.imagePath)}, or of another image of the batch, ${TOO_MANY_WORDS}`,
    { cause },
  );
}

function changedMeanwhile(message: string, cause?: unknown): KindredError {
  return new KindredError("aborted", message, { cause, retryAfterMs: 20 });
}

async function store(
  client: pg.PoolClient,
  capabilities: ServerCapabilities,
  batch: PreparedBatch,
): Promise<StoredBatch> {
  if (batch.space) {
    // A move into another space waits for this transaction from here on, or was before it: what is read next stays so.
    await client.query("LOCK TABLE images, embeddings IN ROW EXCLUSIVE MODE");
    await pinSpace(client, COLLECTION, batch.space, batch.pinned);
  }
  const images = await storeImages(client, batch);
  const ids = images.map((image) => image.id);
  const embeddingIds = batch.space
    ? await insertEmbeddings(client, capabilities, batch.rows, ids, batch.space.id)
    : [];
  return { images, embeddingIds };
}

async function storeImages(client: pg.PoolClient, batch: PreparedBatch): Promise<StoredBatch["images"]> {
  await holdKnown(client, batch);
  const fresh = batch.images.filter((image) => "imagePath" in image);
  if (fresh.length === 0)
    return batch.images.map((image) => ({ id: (image as { id: bigint }).id, added: false }));
  const added = await insertImages(client, fresh);
  const others = fresh.map((image) => image.imagePath).filter((path) => !added.has(path));
  const existing = await idsOf(client, others);
  if (batch.onConflict === "error" && others.length > 0) {
    const path = others[0] as string;
    throw pathTaken(path, existing.get(path));
  }
  return batch.images.map((image) => {
    if (!("imagePath" in image)) return { id: image.id, added: false };
    const id = added.get(image.imagePath) ?? existing.get(image.imagePath);
    if (id === undefined)
      throw changedMeanwhile(`image ${JSON.stringify(image.imagePath)} was deleted meanwhile`);
    return { id, added: added.has(image.imagePath) };
  });
}

/** Keeps the images that the batch was prepared from, so that none of them is deleted before the commit. */
async function holdKnown(client: pg.PoolClient, batch: PreparedBatch): Promise<void> {
  const ids = batch.images.flatMap((image) => ("imagePath" in image ? [] : [String(image.id)]));
  // An image whose embeddings are all there is not written to.
  if (ids.length === 0 || batch.rows.length === 0) return;
  const { rowCount } = await client.query(
    "SELECT 1 FROM images WHERE id = ANY($1::bigint[]) ORDER BY id FOR KEY SHARE",
    [ids],
  );
  if (rowCount !== new Set(ids).size) throw changedMeanwhile("an image of the batch was deleted meanwhile");
}

/** In the order of their paths, so that batches which share some wait for each other instead of deadlocking. */
async function insertImages(
  client: pg.PoolClient,
  images: readonly ImageFields[],
): Promise<Map<string, bigint>> {
  const rows = images.map((image) => ({
    image_path: image.imagePath,
    description: image.description || null,
    tags: image.tags,
    width: image.width ?? null,
    height: image.height ?? null,
    file_size_bytes: image.fileSizeBytes?.toString() ?? null,
    format: image.format || null,
    source_dataset: image.sourceDataset || null,
  }));
  const result = await client.query<{ id: string; image_path: string }>(
    `INSERT INTO images (image_path, description, tags, width, height, file_size_bytes, format, source_dataset)
     SELECT * FROM jsonb_to_recordset($1::jsonb) AS i (image_path text, description text, tags text[], width integer,
       height integer, file_size_bytes bigint, format text, source_dataset text)
     ORDER BY image_path COLLATE "C"
     ON CONFLICT (image_path) DO NOTHING RETURNING id, image_path`,
    [JSON.stringify(rows)],
  );
  return new Map(result.rows.map((row) => [row.image_path, BigInt(row.id)]));
}

async function idsOf(client: pg.PoolClient, paths: readonly string[]): Promise<Map<string, bigint>> {
  if (paths.length === 0) return new Map();
  const { rows } = await client.query<{ id: string; image_path: string }>(
    "SELECT id, image_path FROM images WHERE image_path = ANY($1::text[])",
    [paths],
  );
  return new Map(rows.map((row) => [row.image_path, BigInt(row.id)]));
}
