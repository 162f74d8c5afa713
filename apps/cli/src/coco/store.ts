import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { translated, type Clients } from "../clients.ts";
import { captionKey, imagePath, toRequest, type Batch } from "./batches.ts";
import type { ImportDeps } from "./import-batches.ts";

type Store = Pick<ImportDeps, "send" | "countSinceStart">;

/** How long one batch may take: it waits behind others in the embedding service's queue. */
const BATCH_TIMEOUT_MS = 180_000;

/** The vector store as the import needs it. `startedAt` is read off the store's own clock. */
export function cocoStore(
  clients: Pick<Clients, "images" | "indexes">,
  dataset: string,
  startedAt: Date,
): Store {
  return {
    send: (batch, signal) =>
      translated(async () => {
        const reply = await clients.images.batchAddImages(one(toRequest(dataset, batch)), {
          signal,
          timeoutMs: BATCH_TIMEOUT_MS,
        });
        return {
          imagesAdded: Number(reply.imagesAdded),
          imagesExisting: Number(reply.imagesExisting),
          embeddingsAdded: Number(reply.embeddingsAdded),
          embeddingsExisting: Number(reply.embeddingsExisting),
        };
      }),
    countSinceStart: (batch, signal) =>
      translated(() => countSince(clients, dataset, batch, startedAt, signal)),
  };
}

/** The time at the place where rows get their created_at, from the Date header of a call; whole seconds, rounded down. */
export async function storeTime(clients: Pick<Clients, "indexes">): Promise<Date> {
  let date: string | null = null;
  await clients.indexes.getStatistics({}, { onHeader: (headers) => (date = headers.get("date")) });
  return date === null ? new Date(Math.floor(Date.now() / 1_000) * 1_000) : new Date(date);
}

async function countSince(
  clients: Pick<Clients, "images">,
  dataset: string,
  batch: Batch,
  startedAt: Date,
  signal: AbortSignal,
): ReturnType<ImportDeps["countSinceStart"]> {
  const counts = { imagesAdded: 0, imagesExisting: 0, embeddingsAdded: 0, embeddingsExisting: 0 };
  const isNew = (time: Timestamp | undefined): boolean =>
    time !== undefined && Number(time.seconds) >= startedAt.getTime() / 1_000;
  for (const picture of batch.pictures) {
    const key = { case: "imagePath" as const, value: imagePath(dataset, picture) };
    const { image, embeddings } = await clients.images.getImage({ key }, { signal });
    counts[isNew(image?.createdAt) ? "imagesAdded" : "imagesExisting"] += 1;
    const ours = new Set(picture.captions.map(({ id }) => captionKey(id)));
    for (const embedding of embeddings.filter((e) => ours.has(e.key))) {
      counts[isNew(embedding.createdAt) ? "embeddingsAdded" : "embeddingsExisting"] += 1;
    }
  }
  return counts;
}

// oxlint-disable-next-line typescript/require-await -- a client stream is an async iterable
async function* one<T>(message: T): AsyncIterable<T> {
  yield message;
}
