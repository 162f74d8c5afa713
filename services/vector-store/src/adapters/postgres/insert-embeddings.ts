import type { ServerCapabilities } from "@kindred/postgres";
import type pg from "pg";
import { DIMENSIONS } from "../../domain/collection.ts";
import type { EmbeddingRow } from "../../domain/ports.ts";
import { rowColumn, type BinaryRows } from "./binary-rows.ts";
import { BIGINT, JSONB, TEXT } from "./binary-types.ts";
import { vectorType } from "./vector-columns.ts";
import { rowSource } from "./write-rows.ts";

/**
 * Adds rows to the images' embeddings. Rows whose key the image has already are left out. In the order of image and key, so that
 * transactions which add the same rows wait for each other instead of deadlocking.
 * @param imageIds of the batch's images, which rows refer to by position
 * @returns ids parallel to the rows; undefined for those left out
 */
export async function insertEmbeddings(
  client: pg.PoolClient,
  capabilities: Pick<ServerCapabilities, "copy">,
  rows: readonly EmbeddingRow[],
  imageIds: readonly bigint[],
  spaceId: string,
): Promise<(bigint | undefined)[]> {
  if (rows.length === 0) return [];
  const imageIdOf = (row: EmbeddingRow): string => String(imageIds[row.image]);
  const source = await rowSource(client, capabilities, toColumns(await storageOf(client), rows, imageIdOf));
  const spaceParameter = `$${source.values.length + 1}`;
  const result = await client.query<{ id: string; image_id: string; embedding_key: string }>(
    `INSERT INTO embeddings
       (image_id, embedding_key, embedding_type, model_type, model_name, embedding_metadata, embedding, space_id)
     SELECT image_id, embedding_key, embedding_type, model_type, model_name, embedding_metadata, embedding, ${spaceParameter}
       FROM ${source.from("r")}
     ORDER BY image_id, embedding_key COLLATE "C"
     ON CONFLICT (image_id, embedding_key) DO NOTHING RETURNING id, image_id, embedding_key`,
    [...source.values, spaceId],
  );
  const added = new Map(result.rows.map((row) => [`${row.image_id} ${row.embedding_key}`, BigInt(row.id)]));
  return rows.map((row) => added.get(`${imageIdOf(row)} ${row.key}`));
}

/** It changes once, when pgvector appears and `kindred db upgrade-vectors` has run. */
async function storageOf(client: pg.PoolClient): Promise<"vector" | "json"> {
  const { rows } = await client.query<{ json: boolean }>(
    `SELECT atttypid = 'jsonb'::regtype AS json FROM pg_attribute
      WHERE attrelid = 'embeddings'::regclass AND attname = 'embedding'`,
  );
  return rows[0]?.json ? "json" : "vector";
}

function toColumns(
  storage: "vector" | "json",
  rows: readonly EmbeddingRow[],
  imageIdOf: (row: EmbeddingRow) => string,
): BinaryRows {
  const at = (row: number): EmbeddingRow => rows[row] as EmbeddingRow;
  const vectors = vectorType({
    elementType: "vector",
    dimensions: DIMENSIONS,
    layout: { vector: { column: "embedding", storage } },
  });
  return {
    count: rows.length,
    columns: [
      rowColumn("image_id", BIGINT, (row) => imageIdOf(at(row))),
      rowColumn("embedding_key", TEXT, (row) => at(row).key),
      rowColumn("embedding_type", TEXT, (row) => at(row).embeddingType),
      rowColumn("model_type", TEXT, (row) => at(row).modelType || undefined),
      rowColumn("model_name", TEXT, (row) => at(row).modelName || undefined),
      rowColumn("embedding_metadata", JSONB, (row) => {
        const { metadata } = at(row);
        return metadata && JSON.stringify(metadata);
      }),
      rowColumn("embedding", vectors, (row) => at(row).vector),
    ],
  };
}
