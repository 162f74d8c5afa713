import type { HandlerContext } from "@connectrpc/connect";
import type { DeleteImageRequest } from "@kindred/contracts/vector-store/v1";
import { noImage } from "../domain/no-image.ts";
import type { CatalogueWriter } from "../domain/ports.ts";
import { limitsOf } from "./limits.ts";

export function deleteImageRpc({ catalogue }: { catalogue: Pick<CatalogueWriter, "remove"> }) {
  return async ({ id }: DeleteImageRequest, context: HandlerContext) => {
    const embeddingsDeleted = await catalogue.remove(id, limitsOf(context));
    if (embeddingsDeleted === undefined) throw noImage({ id });
    return { embeddingsDeleted };
  };
}
