import { createHash } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ImageWithEmbeddingsSchema } from "@kindred/contracts/vector-store/v1";
import {
  BadRecord,
  imageRecordOf,
  type DatasetRow,
  type FaissDataset,
  type ImageRecord,
} from "@kindred/faiss";
import { packVectors } from "@kindred/rpc";
import type { SourceRow } from "../vectors/item-source.ts";

/** A vector with the image that it is of. */
export interface MigratedRow {
  id: bigint;
  record: ImageRecord;
  vector: Float32Array;
}

/** What a message takes beside its texts and its vector, about. */
const ROW_BYTES = 200;

/** A row as it would be written; a text says why it cannot be. */
export function migratedRow(row: DatasetRow, { metadata, name }: FaissDataset): MigratedRow | string {
  const problem = vectorProblem(row.vector);
  if (problem !== undefined) return problem;
  try {
    return { id: row.id, record: imageRecordOf(row.fields, metadata.shared, name), vector: row.vector };
  } catch (error) {
    if (error instanceof BadRecord) return error.message;
    throw error;
  }
}

function vectorProblem(vector: Float32Array): string | undefined {
  let isZero = true;
  for (const value of vector) {
    if (!Number.isFinite(value)) return "its vector has a number that is not finite";
    if (value !== 0) isZero = false;
  }
  return isZero ? "its vector is all zeros" : undefined;
}

/** Behind the first `after` vectors; lines are counted from 1, as positions + 1. */
export async function* rowsAfter(
  dataset: FaissDataset,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<SourceRow<MigratedRow>> {
  const bytes = 4 * dataset.index.dimensions;
  for await (const rows of dataset.rows({ signal })) {
    for (const row of rows) {
      if (row.position < after) continue;
      const item = migratedRow(row, dataset);
      const line = row.position + 1;
      const size = typeof item === "string" ? 0 : ROW_BYTES + bytes + 2 * item.record.description.length;
      yield { item, line, bytes: size, end: { lines: line, bytes: line * bytes } };
    }
  }
}

/** The field of an embedding's metadata that names its data set. */
export const DATASET_FIELD = "faiss_dataset";

/**
 * The images of some rows, each once, with the vectors of all of its rows. A vector's key is made of its bytes: to write it again adds
 * nothing, whatever its position and the folder's name have become.
 */
export function toImages(
  rows: readonly MigratedRow[],
  options: { dataset: string; spaceId: string; embeddingType: string },
): MessageInitShape<typeof ImageWithEmbeddingsSchema>[] {
  const images = new Map<string, { first: ImageRecord; rows: Map<string, MigratedRow> }>();
  for (const row of rows) {
    const { imagePath } = row.record;
    const image = images.get(imagePath) ?? { first: row.record, rows: new Map<string, MigratedRow>() };
    images.set(imagePath, image);
    const key = `faiss-${createHash("sha256").update(packVectors(row.vector)).digest("hex")}`;
    if (!image.rows.has(key)) image.rows.set(key, row);
  }
  return Array.from(images.values(), ({ first, rows: ofImage }) => ({
    image: imageFields(first),
    embeddings: Array.from(ofImage, ([key, { id, record, vector }]) => ({
      key,
      source: {
        case: "vector" as const,
        value: { data: packVectors(vector), spaceId: options.spaceId },
      },
      embeddingType: record.embeddingType || options.embeddingType,
      modelType: record.modelType,
      modelName: record.modelName,
      metadata: {
        ...record.other,
        [DATASET_FIELD]: options.dataset,
        faiss_id: Number.isSafeInteger(Number(id)) ? Number(id) : String(id),
        // An image has one description; what another of its vectors is of stays with that.
        ...(record.description !== first.description && { description: record.description }),
      },
    })),
  }));
}

function imageFields(record: ImageRecord) {
  const { imagePath, description, tags, width, height, fileSizeBytes, format, sourceDataset } = record;
  return {
    imagePath,
    description,
    tags,
    format,
    sourceDataset,
    ...(width !== undefined && { width }),
    ...(height !== undefined && { height }),
    ...(fileSizeBytes !== undefined && { fileSizeBytes: BigInt(fileSizeBytes) }),
  };
}
