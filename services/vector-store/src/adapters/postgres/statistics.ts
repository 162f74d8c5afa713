import type { Database } from "@kindred/postgres";
import { COLLECTION } from "../../domain/collection.ts";
import type { StatisticsReader } from "../../domain/ports.ts";
import { imageIndexes } from "./index-catalogue.ts";

interface StatisticsRow {
  total_images: string;
  total_embeddings: string;
  images_without_embeddings: string;
  images_size: string;
  embeddings_size: string;
  space_id: string | null;
}

export function statisticsReader(db: Database): StatisticsReader {
  return {
    statistics: (limits) =>
      db.transaction(
        async (client) => {
          const { rows } = await client.query<StatisticsRow>(
            `SELECT (SELECT count(*) FROM images) AS total_images,
                    (SELECT count(*) FROM embeddings) AS total_embeddings,
                    (SELECT count(*) FROM images i
                      WHERE NOT EXISTS (SELECT 1 FROM embeddings e WHERE e.image_id = i.id)) AS images_without_embeddings,
                    pg_total_relation_size('images') AS images_size,
                    pg_total_relation_size('embeddings') AS embeddings_size,
                    (SELECT space_id FROM collections WHERE name = $1) AS space_id`,
            [COLLECTION],
          );
          const row = rows[0] as StatisticsRow;
          const indexes = await imageIndexes(client, db.schema);
          return {
            totalImages: BigInt(row.total_images),
            totalEmbeddings: BigInt(row.total_embeddings),
            imagesWithoutEmbeddings: BigInt(row.images_without_embeddings),
            imagesSizeBytes: BigInt(row.images_size),
            embeddingsSizeBytes: BigInt(row.embeddings_size),
            spaceId: row.space_id ?? undefined,
            indexes,
          };
        },
        { ...limits, readOnly: true, isolation: "repeatable read" },
      ),
  };
}
