import type { MessageInitShape } from "@bufbuild/protobuf";
import { OnConflict, type BatchAddImagesRequestSchema } from "@kindred/contracts/vector-store/v1";
import type { CocoPicture } from "./coco-file.ts";

/** Pictures that are stored together or not at all. */
export interface Batch {
  /** Position in the import, from 0. */
  index: number;
  pictures: readonly CocoPicture[];
  captions: number;
}

/** The contract's limit for one message. */
const MAX_IMAGES = 1_000;

/** Batches of about `captionsPerBatch` captions, in order; a picture's captions are never split. */
export function* inBatches(pictures: Iterable<CocoPicture>, captionsPerBatch: number): Generator<Batch> {
  let index = 0;
  let batch: CocoPicture[] = [];
  let captions = 0;
  for (const picture of pictures) {
    const full = captions + picture.captions.length > captionsPerBatch || batch.length >= MAX_IMAGES;
    if (batch.length > 0 && full) {
      yield { index: index++, pictures: batch, captions };
      batch = [];
      captions = 0;
    }
    batch.push(picture);
    captions += picture.captions.length;
  }
  if (batch.length > 0) yield { index, pictures: batch, captions };
}

/** Of the data set "coco-val2017": "coco/val2017/000000000139.jpg". */
export function imagePath(dataset: string, picture: Pick<CocoPicture, "fileName">): string {
  return `${dataset.replace("-", "/")}/${picture.fileName}`;
}

export function captionKey(annotationId: number): string {
  return `coco-caption-${annotationId}`;
}

/** Every key comes from the file, so sending a batch again adds nothing twice. */
export function toRequest(
  dataset: string,
  batch: Batch,
): MessageInitShape<typeof BatchAddImagesRequestSchema> {
  return {
    onConflict: OnConflict.SKIP,
    images: batch.pictures.map((picture) => ({
      image: {
        imagePath: imagePath(dataset, picture),
        description: picture.captions[0]?.text ?? "",
        sourceDataset: dataset,
        format: formatOf(picture.fileName),
        ...(picture.width !== undefined && { width: picture.width }),
        ...(picture.height !== undefined && { height: picture.height }),
      },
      embeddings: picture.captions.map(({ id, text }) => ({
        key: captionKey(id),
        source: { case: "text" as const, value: text },
        embeddingType: "text",
        metadata: { annotation_id: id },
      })),
    })),
  };
}

function formatOf(fileName: string): string {
  const extension = /\.([a-z0-9]{1,10})$/i.exec(fileName)?.[1]?.toLowerCase() ?? "";
  return extension === "jpeg" ? "jpg" : extension;
}
