import type { HandlerContext } from "@connectrpc/connect";
import type { AddImageWithEmbeddingsRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import { countDown } from "../domain/call-limits.ts";
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
    const left = countDown(limitsOf(context));
    const { stored } = await storeImages(
      deps,
      {
        images: [{ target: { kind: "fields", fields }, embeddings }],
        onConflict: "error",
        pathOf: (_, embedding) => `embeddings[${embedding}]`,
      },
      { ...left(), priority: "interactive" },
    );
    const id = (stored.images[0] as { id: bigint }).id;
    const found = await deps.images.findWithEmbeddings({ id }, left());
    if (!found) throw noImage({ id });
    const idOf = new Map(found.embeddings.map((embedding) => [embedding.key, embedding.id]));
    return {
      image: toImageMessage(found.image),
      embeddingIds: embeddings.flatMap(({ key }) => idOf.get(key) ?? []),
    };
  };
}
