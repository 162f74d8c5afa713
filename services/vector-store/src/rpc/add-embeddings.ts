import type { HandlerContext } from "@connectrpc/connect";
import type { AddEmbeddingsRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import { storeImages, type StoreDeps } from "../domain/store-images.ts";
import { readEmbeddings } from "./embedding-fields.ts";
import { limitsOf } from "./limits.ts";

/** In one request about one image. */
export const MAX_EMBEDDINGS = 1000;

export function addEmbeddingsRpc(deps: StoreDeps) {
  return async (request: AddEmbeddingsRequest, context: HandlerContext) => {
    const checks = startChecks();
    const count = request.embeddings.length;
    if (count < 1 || count > MAX_EMBEDDINGS) {
      checks.add("embeddings", `must be 1 to ${MAX_EMBEDDINGS}, are ${count}`);
    }
    const embeddings = readEmbeddings(request.embeddings, undefined, "embeddings", checks);
    checks.throwIfAny();
    const { embeddingsAdded, embeddingsExisting } = await storeImages(
      deps,
      {
        images: [{ target: { kind: "stored", id: request.imageId }, embeddings }],
        onConflict: "skip",
        pathOf: (_, embedding) => `embeddings[${embedding}]`,
      },
      { ...limitsOf(context), priority: "interactive" },
    );
    return { added: embeddingsAdded, existing: embeddingsExisting };
  };
}
