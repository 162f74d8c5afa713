import type { HandlerContext } from "@connectrpc/connect";
import type { AddImageRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import type { ImageFields } from "../domain/image.ts";
import type { ImageRepository } from "../domain/ports.ts";
import { readImageFields } from "./image-fields.ts";
import { limitsOf } from "./limits.ts";
import { toImageMessage } from "./messages.ts";

export function addImageRpc({ images }: { images: ImageRepository }) {
  return async (request: AddImageRequest, context: HandlerContext) => {
    const checks = startChecks();
    const fields = readImageFields(request.image, "image", checks);
    checks.throwIfAny();
    return { image: toImageMessage(await images.add(fields as ImageFields, limitsOf(context))) };
  };
}
