import { invalidField } from "@kindred/errors";
import { isUniqueViolation, repositoryTransaction, type Database } from "@kindred/postgres";
import { ArrayContains, MoreThan, type DataSource, type FindOptionsWhere } from "typeorm";
import type { Image, StoredEmbedding } from "../../domain/image.ts";
import { pathTaken } from "../../domain/path-taken.ts";
import type { CallLimits, ImageKey, ImageRepository } from "../../domain/ports.ts";
import { TOO_MANY_WORDS } from "../../domain/text-problem.ts";
import { isTooManyWords } from "./document-limit.ts";
import { EmbeddingEntity, ImageEntity, type EmbeddingRow, type ImageRow } from "./entities.ts";
import { toChangedColumns, toColumns, toImage, toMetadata } from "./image-rows.ts";

/** Images through TypeORM, each call in a transaction of its own. The data source stays the caller's. */
export function imageRepository(db: Database, dataSource: DataSource): ImageRepository {
  const images = dataSource.getRepository(ImageEntity);
  const embeddings = dataSource.getRepository(EmbeddingEntity);
  const reading = <T>(work: () => Promise<T>, limits: CallLimits): Promise<T> =>
    repositoryTransaction(db, work, { ...limits, readOnly: true });
  const findOne = async (key: ImageKey): Promise<Image | undefined> => {
    const where = "id" in key ? { id: String(key.id) } : { imagePath: key.imagePath };
    const row = await images.findOneBy(where);
    return row ? toImage(row) : undefined;
  };
  const find: ImageRepository["find"] = (key, limits) => reading(() => findOne(key), limits);

  return {
    find,

    findWithEmbeddings: (key, limits) =>
      reading(async () => {
        const image = await findOne(key);
        if (!image) return undefined;
        const rows = await embeddings.find({ where: { imageId: String(image.id) }, order: { id: "ASC" } });
        return { image, embeddings: rows.map(toStoredEmbedding) };
      }, limits),

    async add(fields, limits): Promise<Image> {
      const insert = async (): Promise<Image> => {
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
      };
      try {
        return await repositoryTransaction(db, insert, limits);
      } catch (error) {
        if (isTooManyWords(error)) throw invalidField("image.description", TOO_MANY_WORDS);
        if (!isUniqueViolation(error, "images_image_path_key")) throw error;
        throw pathTaken(fields.imagePath, (await find({ imagePath: fields.imagePath }, limits))?.id);
      }
    },

    async list({ filter, afterId, limit }, limits): Promise<Image[]> {
      const where: FindOptionsWhere<ImageRow> = { id: MoreThan(String(afterId)) };
      if (filter.sourceDataset !== "") where.sourceDataset = filter.sourceDataset;
      if (filter.tags.length > 0) where.tags = ArrayContains([...filter.tags]);
      const rows = await reading(() => images.find({ where, order: { id: "ASC" }, take: limit }), limits);
      return rows.map(toImage);
    },

    async update(id, changes, limits) {
      const change = async (): Promise<Image | undefined> => {
        const columns = toChangedColumns(changes);
        if (Object.keys(columns).length > 0) await images.update({ id: String(id) }, columns);
        return await findOne({ id });
      };
      try {
        return await repositoryTransaction(db, change, limits);
      } catch (error) {
        if (!isTooManyWords(error)) throw error;
        throw invalidField("description", TOO_MANY_WORDS);
      }
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
