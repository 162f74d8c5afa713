import type { HandlerContext } from "@connectrpc/connect";
import type { UpdateImageRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import { noImage } from "../domain/no-image.ts";
import type { ImageRepository } from "../domain/ports.ts";
import { readImageChanges } from "./image-fields.ts";
import { limitsOf } from "./limits.ts";
import { toImageMessage } from "./messages.ts";

export function updateImageRpc({ images }: { images: ImageRepository }) {
  return async (request: UpdateImageRequest, context: HandlerContext) => {
    const checks = startChecks();
    const changes = readImageChanges(request, checks);
    checks.throwIfAny();
    const image = await images.update(request.id, changes, limitsOf(context));
    if (!image) throw noImage({ id: request.id });
    return { image: toImageMessage(image) };
  };
}
