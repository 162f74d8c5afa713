import { isUniqueViolation } from "@kindred/postgres";
import { ArrayContains, MoreThan, type DataSource, type FindOptionsWhere } from "typeorm";
import type { Image, StoredEmbedding } from "../../domain/image.ts";
import { pathTaken } from "../../domain/path-taken.ts";
import type { ImageRepository } from "../../domain/ports.ts";
import { EmbeddingEntity, ImageEntity, type EmbeddingRow, type ImageRow } from "./entities.ts";
import { toChangedColumns, toColumns, toImage, toMetadata } from "./image-rows.ts";
import { translated } from "./translated.ts";

/** Images through TypeORM. The data source stays the caller's. */
export function imageRepository(dataSource: DataSource): ImageRepository {
  const images = dataSource.getRepository(ImageEntity);
  const embeddings = dataSource.getRepository(EmbeddingEntity);

  const find: ImageRepository["find"] = async (key) => {
    const where = "id" in key ? { id: String(key.id) } : { imagePath: key.imagePath };
    const row = await translated(() => images.findOneBy(where));
    return row ? toImage(row) : undefined;
  };

  return {
    find,

    async add(fields): Promise<Image> {
      try {
        const { raw } = await images
          .createQueryBuilder()
          .insert()
          .values(toColumns(fields))
          .returning(["id", "createdAt"])
          .updateEntity(false)
          .execute();
        const [stored] = raw as { id: string; created_at: Date }[];
        if (!stored) throw new TypeError("INSERT returned no row");
        return { ...fields, id: BigInt(stored.id), createdAt: stored.created_at, embeddingCount: 0 };
      } catch (error) {
        if (!isUniqueViolation(error, "images_image_path_key"))
          return await translated(() => Promise.reject(error));
        throw pathTaken(fields.imagePath, (await find({ imagePath: fields.imagePath }))?.id);
      }
    },

    async list({ filter, afterId, limit }): Promise<Image[]> {
      const where: FindOptionsWhere<ImageRow> = { id: MoreThan(String(afterId)) };
      if (filter.sourceDataset !== "") where.sourceDataset = filter.sourceDataset;
      if (filter.tags.length > 0) where.tags = ArrayContains([...filter.tags]);
      const rows = await translated(() => images.find({ where, order: { id: "ASC" }, take: limit }));
      return rows.map(toImage);
    },

    async update(id, changes): Promise<Image | undefined> {
      const columns = toChangedColumns(changes);
      if (Object.keys(columns).length > 0) await translated(() => images.update({ id: String(id) }, columns));
      return await find({ id });
    },

    async embeddingsOf(imageId): Promise<StoredEmbedding[]> {
      const rows = await translated(() =>
        embeddings.find({ where: { imageId: String(imageId) }, order: { id: "ASC" } }),
      );
      return rows.map(toStoredEmbedding);
    },
  };
}

function toStoredEmbedding(row: EmbeddingRow): StoredEmbedding {
  return {
    id: BigInt(row.id),
    key: row.key,
    embeddingType: row.embeddingType ?? "",
    modelType: row.modelType ?? "",
    modelName: row.modelName ?? "",
    spaceId: row.spaceId ?? "",
    metadata: toMetadata(row.metadata),
    createdAt: row.createdAt,
  };
}
