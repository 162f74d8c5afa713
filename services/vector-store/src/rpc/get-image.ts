import type { HandlerContext } from "@connectrpc/connect";
import type { GetImageRequest } from "@kindred/contracts/vector-store/v1";
import { invalidField } from "@kindred/errors";
import { noImage } from "../domain/no-image.ts";
import type { ImageRepository } from "../domain/ports.ts";
import { limitsOf } from "./limits.ts";
import { toEmbeddingMessage, toImageMessage } from "./messages.ts";

export function getImageRpc({ images }: { images: ImageRepository }) {
  return async ({ key }: GetImageRequest, context: HandlerContext) => {
    if (key.case === undefined) throw invalidField("key", "is required: id or image_path");
    const wanted = key.case === "id" ? { id: key.value } : { imagePath: key.value };
    // PostgreSQL refuses to look for such a text, and there can be no image with it.
    const findable = !("imagePath" in wanted) || !wanted.imagePath.includes("\0");
    const found = findable ? await images.findWithEmbeddings(wanted, limitsOf(context)) : undefined;
    if (!found) throw noImage(wanted);
    return { image: toImageMessage(found.image), embeddings: found.embeddings.map(toEmbeddingMessage) };
  };
}
