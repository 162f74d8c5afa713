import type { Image, ImageChanges, ImageFields, JsonObject } from "../../domain/image.ts";
import type { ImageRow } from "./entities.ts";

export function toImage(row: ImageRow): Image {
  return {
    id: BigInt(row.id),
    imagePath: row.imagePath,
    description: row.description ?? "",
    tags: row.tags ?? [],
    width: row.width ?? undefined,
    height: row.height ?? undefined,
    fileSizeBytes: row.fileSizeBytes === null ? undefined : BigInt(row.fileSizeBytes),
    format: row.format ?? "",
    sourceDataset: row.sourceDataset ?? "",
    createdAt: row.createdAt,
    embeddingCount: Number(row.embeddingCount),
  };
}

type WrittenColumns = Omit<ImageRow, "id" | "createdAt" | "embeddingCount">;

/** Empty texts become NULL, as users' own SQL writes them. */
export function toColumns(fields: ImageFields): WrittenColumns {
  return { imagePath: fields.imagePath, ...toChangedColumns(fields) } as WrittenColumns;
}

/** The columns of the fields that are there. */
export function toChangedColumns(changes: ImageChanges): Partial<WrittenColumns> {
  const columns: Partial<WrittenColumns> = {};
  if ("description" in changes) columns.description = changes.description || null;
  if ("tags" in changes) columns.tags = [...(changes.tags ?? [])];
  if ("width" in changes) columns.width = changes.width ?? null;
  if ("height" in changes) columns.height = changes.height ?? null;
  if ("fileSizeBytes" in changes) columns.fileSizeBytes = changes.fileSizeBytes?.toString() ?? null;
  if ("format" in changes) columns.format = changes.format || null;
  if ("sourceDataset" in changes) columns.sourceDataset = changes.sourceDataset || null;
  return columns;
}

/** Users' own SQL may have written any JSON: what is no object is none. */
export function toMetadata(json: unknown): JsonObject | undefined {
  return typeof json === "object" && json !== null && !Array.isArray(json) ? (json as JsonObject) : undefined;
}
