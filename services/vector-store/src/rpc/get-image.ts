import type { GetImageRequest } from "@kindred/contracts/vector-store/v1";
import { invalidField } from "@kindred/errors";
import { noImage } from "../domain/no-image.ts";
import type { ImageRepository } from "../domain/ports.ts";
import { toEmbeddingMessage, toImageMessage } from "./messages.ts";

export function getImageRpc({ images }: { images: ImageRepository }) {
  return async ({ key }: GetImageRequest) => {
    if (key.case === undefined) throw invalidField("key", "is required: id or image_path");
    const wanted = key.case === "id" ? { id: key.value } : { imagePath: key.value };
    // PostgreSQL refuses to look for such a text, and there can be no image with it.
    const findable = !("imagePath" in wanted) || !wanted.imagePath.includes("\0");
    const image = findable ? await images.find(wanted) : undefined;
    if (!image) throw noImage(wanted);
    const embeddings = await images.embeddingsOf(image.id);
    return { image: toImageMessage(image), embeddings: embeddings.map(toEmbeddingMessage) };
  };
}
