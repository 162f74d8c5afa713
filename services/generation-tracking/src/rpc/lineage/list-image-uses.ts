import type { HandlerContext } from "@connectrpc/connect";
import type { ListImageUsesRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks, type FieldChecks } from "@kindred/rpc";
import { listImageUses } from "../../domain/lineage/list-image-uses.ts";
import type { ImageReference, LineageStore } from "../../domain/lineage/ports.ts";
import { toExampleMessage, toGenerationMessage } from "../messages.ts";
import { limitsOf } from "../limits.ts";
import { checkId } from "./messages.ts";

const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 1000;
const MAX_PATH_CHARACTERS = 500;

export function listImageUsesRpc(deps: { lineage: Pick<LineageStore, "uses"> }) {
  return async (request: ListImageUsesRequest, context: HandlerContext) => {
    const checks = startChecks();
    const image = readImage(request.image, checks);
    const pageSize = checks.count("page_size", request.pageSize, {
      max: MAX_PAGE_SIZE,
      zero: DEFAULT_PAGE_SIZE,
    });
    checks.throwIfAny();
    const page = await listImageUses(
      deps,
      { image, pageSize, pageToken: request.pageToken },
      limitsOf(context)(),
    );
    return {
      uses: page.uses.map(({ generation, example }) => ({
        generation: toGenerationMessage(generation),
        example: toExampleMessage(example),
      })),
      nextPageToken: page.nextPageToken,
      total: page.total,
    };
  };
}

function readImage(image: ListImageUsesRequest["image"], checks: FieldChecks): ImageReference {
  switch (image.case) {
    case "imageId":
      checkId("image_id", image.value, checks);
      return { imageId: image.value };
    case "imagePath":
      checks.text("image_path", image.value, { required: true, maxCharacters: MAX_PATH_CHARACTERS });
      return { imagePath: image.value };
    default:
      checks.add("image", "is required: image_id or image_path");
      return { imagePath: "" };
  }
}
