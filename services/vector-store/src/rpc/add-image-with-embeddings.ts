import type { HandlerContext } from "@connectrpc/connect";
import type { AddImageWithEmbeddingsRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import type { ImageFields } from "../domain/image.ts";
import { noImage } from "../domain/no-image.ts";
import type { ImageRepository } from "../domain/ports.ts";
import { storeImages, type StoreDeps } from "../domain/store-images.ts";
import { MAX_EMBEDDINGS } from "./add-embeddings.ts";
import { readEmbeddings } from "./embedding-fields.ts";
import { readImageFields } from "./image-fields.ts";
import { limitsOf } from "./limits.ts";
import { toImageMessage } from "./messages.ts";

export function addImageWithEmbeddingsRpc(deps: StoreDeps & { images: ImageRepository }) {
  return async (request: AddImageWithEmbeddingsRequest, context: HandlerContext) => {
    const checks = startChecks();
    const fields = readImageFields(request.image, "image", checks) as ImageFields;
    if (request.embeddings.length > MAX_EMBEDDINGS) {
      checks.add("embeddings", `must be at most ${MAX_EMBEDDINGS}, are ${request.embeddings.length}`);
    }
    const embeddings = readEmbeddings(request.embeddings, fields, "embeddings", checks);
    if (request.embeddings.length === 0 && request.image?.description === "") {
      checks.add(
        "image.description",
        "must not be empty when there are no embeddings: it is what is embedded",
      );
    }
    checks.throwIfAny();
    const { stored } = await storeImages(
      deps,
      {
        images: [{ target: { kind: "fields", fields }, embeddings }],
        onConflict: "error",
        pathOf: (_, embedding) => `embeddings[${embedding}]`,
      },
      { ...limitsOf(context), priority: "interactive" },
    );
    const id = (stored.images[0] as { id: bigint }).id;
    const image = await deps.images.find({ id });
    if (!image) throw noImage({ id });
    const idOf = new Map(
      (await deps.images.embeddingsOf(id)).map((embedding) => [embedding.key, embedding.id]),
    );
    return {
      image: toImageMessage(image),
      embeddingIds: embeddings.flatMap(({ key }) => idOf.get(key) ?? []),
    };
  };
}
