import type pg from "pg";
import type { EmbeddingRow } from "../../domain/ports.ts";
import { vectorArrayParameter } from "./vector-parameters.ts";

/**
 * Adds rows in one statement: their vectors as one binary array, all else as JSON. Rows whose key the image has already are left
 * out. In the order of image and key, so that transactions which add the same rows wait for each other instead of deadlocking.
 * @param imageIds of the batch's images, which rows refer to by position
 * @returns ids parallel to the rows; undefined for those left out
 */
export async function insertEmbeddings(
  client: pg.PoolClient,
  rows: readonly EmbeddingRow[],
  imageIds: readonly bigint[],
  spaceId: string,
): Promise<(bigint | undefined)[]> {
  if (rows.length === 0) return [];
  const values = rows.map((row) => ({
    image_id: String(imageIds[row.image]),
    key: row.key,
    type: row.embeddingType,
    model_type: row.modelType || null,
    model_name: row.modelName || null,
    metadata: row.metadata ?? null,
  }));
  const result = await client.query<{ id: string; image_id: string; embedding_key: string }>(
    `INSERT INTO embeddings
       (image_id, embedding_key, embedding_type, model_type, model_name, embedding_metadata, embedding, space_id)
     SELECT image_id, key, type, model_type, model_name, NULLIF(metadata, 'null'::jsonb), embedding, $3
       FROM ROWS FROM (
         jsonb_to_recordset($2::jsonb)
           AS (image_id bigint, key text, type text, model_type text, model_name text, metadata jsonb),
         unnest($1::vector[])
       ) AS r (image_id, key, type, model_type, model_name, metadata, embedding)
     ORDER BY image_id, key COLLATE "C"
     ON CONFLICT (image_id, embedding_key) DO NOTHING RETURNING id, image_id, embedding_key`,
    [
      vectorArrayParameter(
        rows.map((row) => row.vector),
        await vectorOid(client),
      ),
      JSON.stringify(values),
      spaceId,
    ],
  );
  const added = new Map(result.rows.map((row) => [`${row.image_id} ${row.embedding_key}`, BigInt(row.id)]));
  return values.map((value) => added.get(`${value.image_id} ${value.key}`));
}

const OIDS = new WeakMap<pg.PoolClient, number>();

/** Asked once a connection: the oid differs from database to database, and changes when the extension is made anew. */
async function vectorOid(client: pg.PoolClient): Promise<number> {
  let oid = OIDS.get(client);
  if (oid === undefined) {
    const { rows } = await client.query<{ oid: number }>("SELECT 'vector'::regtype::oid AS oid");
    oid = rows[0]?.oid as number;
    OIDS.set(client, oid);
  }
  return oid;
}
