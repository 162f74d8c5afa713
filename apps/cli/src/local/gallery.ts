import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { BatchAddImagesRequestSchema } from "@kindred/contracts/vector-store/v1";
import { pictures, writeGallery } from "@kindred/gallery";
import type { Clients } from "../clients.ts";
import { plural } from "../terminal/format.ts";
import type { Step } from "../terminal/steps.ts";

const DATASET = "kindred-gallery";
const LOAD_TIMEOUT_MS = 180_000;

/**
 * Draws the sample pictures and adds them when the catalogue is empty. Drawn pictures that have got lost are drawn again where the
 * catalogue has them. Returns in one line what there is.
 */
export async function loadGallery(deps: {
  clients: Pick<Clients, "images" | "indexes">;
  mediaRoot: string;
  step: Step;
}): Promise<string> {
  const { images, indexes } = deps.clients;
  const { totalImages } = await indexes.getStatistics({});
  const isEmpty = totalImages === 0n;
  const hasGallery =
    isEmpty || (await images.listImages({ pageSize: 1, sourceDataset: DATASET })).images.length > 0;
  if (!hasGallery) return `not added: there are ${plural(totalImages, "image")} already`;
  await writeGallery(deps.mediaRoot, {
    onProgress: (done, total) => deps.step.progress("drawing pictures", done, total),
  });
  if (!isEmpty) return `${plural(totalImages, "image")} there already`;
  deps.step.progress("embedding the captions");
  const reply = await images.batchAddImages(theGallery(deps.mediaRoot), { timeoutMs: LOAD_TIMEOUT_MS });
  return `${plural(reply.imagesAdded, "picture")} drawn and added`;
}

async function* theGallery(
  mediaRoot: string,
): AsyncIterable<MessageInitShape<typeof BatchAddImagesRequestSchema>> {
  // One batch is stored whole or not at all: a start that is killed half-way leaves the catalogue empty.
  yield {
    images: await Promise.all(
      pictures.map(async (picture) => ({
        image: {
          imagePath: picture.path,
          description: picture.caption,
          tags: [...picture.tags],
          width: picture.width,
          height: picture.height,
          fileSizeBytes: BigInt((await stat(join(mediaRoot, picture.path))).size),
          format: "png",
          sourceDataset: DATASET,
        },
      })),
    ),
  };
}
