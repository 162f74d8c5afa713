import { ConnectError, type HandlerContext } from "@connectrpc/connect";
import { OnConflict, type BatchAddImagesRequest } from "@kindred/contracts/vector-store/v1";
import { fromConnectError, startChecks, type FieldChecks } from "@kindred/rpc";
import type { ImageFields } from "../domain/image.ts";
import { importBatches, type ImportDeps } from "../domain/import-batches.ts";
import type { ImageBatch, NewImage } from "../domain/new-image.ts";
import { readEmbeddings } from "./embedding-fields.ts";
import { readImageFields } from "./image-fields.ts";
import { limitsOf } from "./limits.ts";

const MAX_IMAGES = 1000;
const MAX_EMBEDDINGS = 10_000;

const CONFLICTS: Record<OnConflict, ImageBatch["onConflict"]> = {
  [OnConflict.UNSPECIFIED]: "skip",
  [OnConflict.SKIP]: "skip",
  [OnConflict.ERROR]: "error",
};

export function batchAddImagesRpc(deps: ImportDeps) {
  return async (requests: AsyncIterable<BatchAddImagesRequest>, context: HandlerContext) => {
    const summary = await importBatches(deps, batchesOf(requests), limitsOf(context));
    return {
      batches: BigInt(summary.batches),
      imagesAdded: BigInt(summary.imagesAdded),
      imagesExisting: BigInt(summary.imagesExisting),
      embeddingsAdded: BigInt(summary.embeddingsAdded),
      embeddingsExisting: BigInt(summary.embeddingsExisting),
    };
  };
}

async function* batchesOf(requests: AsyncIterable<BatchAddImagesRequest>): AsyncIterable<ImageBatch> {
  try {
    for await (const request of requests) yield readBatch(request);
  } catch (error) {
    // A message that cannot be decoded is reported with what was stored before it, as any bad batch is.
    throw error instanceof ConnectError ? fromConnectError(error) : error;
  }
}

function readBatch(request: BatchAddImagesRequest): ImageBatch {
  const checks = startChecks();
  checks.size("images", request.images, { max: MAX_IMAGES });
  const onConflict = CONFLICTS[request.onConflict] as ImageBatch["onConflict"] | undefined;
  if (onConflict === undefined) {
    checks.add("on_conflict", `must be a known OnConflict, is ${request.onConflict}`);
  }
  const images = request.images.map(({ image, embeddings }, i): NewImage => {
    const fields = readImageFields(image, `images[${i}].image`, checks) as ImageFields;
    return {
      target: { kind: "fields", fields },
      embeddings: readEmbeddings(embeddings, fields, `images[${i}].embeddings`, checks),
    };
  });
  checkPaths(request, checks);
  const embeddings = images.reduce((sum, image) => sum + image.embeddings.length, 0);
  if (embeddings > MAX_EMBEDDINGS) {
    checks.add("images", `must have at most ${MAX_EMBEDDINGS} embeddings together, have ${embeddings}`);
  }
  checks.throwIfAny();
  return {
    images,
    onConflict: onConflict ?? "skip",
    pathOf: (image, embedding) => `images[${image}].embeddings[${embedding}]`,
  };
}

function checkPaths(request: BatchAddImagesRequest, checks: FieldChecks): void {
  const first = new Map<string, number>();
  for (const [i, { image }] of request.images.entries()) {
    if (!image || image.imagePath === "") continue;
    const other = first.get(image.imagePath);
    if (other === undefined) first.set(image.imagePath, i);
    else
      checks.add(
        `images[${i}].image.image_path`,
        `must be unique within the batch, is that of images[${other}] too`,
      );
  }
}
