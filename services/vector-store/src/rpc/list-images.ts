import type { HandlerContext } from "@connectrpc/connect";
import type { ListImagesRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import { listImages } from "../domain/list-images.ts";
import type { ImageRepository } from "../domain/ports.ts";
import { checkTags, MAX_DATASET_CHARACTERS } from "./image-fields.ts";
import { limitsOf } from "./limits.ts";
import { toImageMessage } from "./messages.ts";
import { checkText } from "./text-checks.ts";

const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 1000;

export function listImagesRpc(deps: { images: ImageRepository }) {
  return async (request: ListImagesRequest, context: HandlerContext) => {
    const checks = startChecks();
    const range = { max: MAX_PAGE_SIZE, zero: DEFAULT_PAGE_SIZE };
    const pageSize = checks.count("page_size", request.pageSize, range);
    checkText(checks, "source_dataset", request.sourceDataset, { maxCharacters: MAX_DATASET_CHARACTERS });
    checkTags(request.tags, "tags", checks);
    checks.throwIfAny();
    const filter = { sourceDataset: request.sourceDataset, tags: request.tags };
    const page = await listImages(
      deps,
      { filter, pageSize, pageToken: request.pageToken },
      limitsOf(context),
    );
    return { images: page.images.map(toImageMessage), nextPageToken: page.nextPageToken };
  };
}
