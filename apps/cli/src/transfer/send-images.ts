import { OnConflict } from "@kindred/contracts/vector-store/v1";
import { isKindredError, KindredError } from "@kindred/errors";
import { translated, type Clients } from "../clients.ts";
import { placeOf, type Stored } from "../vectors/import-items.ts";
import type { RowBatch } from "../vectors/item-batches.ts";
import { BATCH_TIMEOUT_MS } from "../vectors/run-import.ts";
import type { ImageRecord } from "./image-record.ts";

/** Of one message: the contract's limits, and half of what a message may have. */
export const IMAGE_LIMITS = { images: 1_000, embeddings: 10_000, bytes: 16 * 2 ** 20 } as const;

/** What an image counts towards the bytes of a batch: so much that a batch within that limit is within those of embeddings, too. */
export function weightOf({ message }: ImageRecord, bytes: number): number {
  const least = Math.ceil(IMAGE_LIMITS.bytes / IMAGE_LIMITS.embeddings);
  return Math.max(bytes, least * Math.max(message.embeddings.length, 1));
}

/** Embeddings are counted apart from images. */
export interface EmbeddingCounts {
  added: number;
  existing: number;
}

export interface SendImagesOptions {
  onConflict: "skip" | "error";
  /** Images that the service refuses are left out, and the others of their batch stored. */
  skipsBadRows: boolean;
}

type Rejected = Stored["rejected"][number];

/**
 * Stores the images of a batch. Sending one again adds nothing twice: images are known by their paths, embeddings by their keys.
 * @throws KindredErrors whose violations name images by their positions in the batch.
 */
export async function sendImages(
  { images }: Pick<Clients, "images">,
  batch: RowBatch<ImageRecord>,
  options: SendImagesOptions & { counts: EmbeddingCounts; signal: AbortSignal },
): Promise<Stored> {
  const { signal, counts } = options;
  const stored = { inserted: 0, replaced: 0, skipped: 0, rejected: [] as Rejected[] };
  for (const positions of inWaves(batch.items)) {
    const bare = positions.filter((i) => batch.items[i]?.isBare);
    const others = positions.filter((i) => !batch.items[i]?.isBare);
    const rejected = await leavingOut(others, options, async (left) => {
      const reply = await translated(() =>
        images.batchAddImages(
          one({
            images: left.map((i) => (batch.items[i] as ImageRecord).message),
            onConflict: options.onConflict === "error" ? OnConflict.ERROR : OnConflict.SKIP,
          }),
          { signal, timeoutMs: BATCH_TIMEOUT_MS },
        ),
      );
      stored.inserted += Number(reply.imagesAdded);
      stored.skipped += Number(reply.imagesExisting);
      counts.added += Number(reply.embeddingsAdded);
      counts.existing += Number(reply.embeddingsExisting);
    });
    stored.rejected.push(...rejected);
    for (const i of bare) {
      const refused = await leavingOut([i], options, async () => {
        if (await addBare(images, batch.items[i] as ImageRecord, options)) stored.inserted += 1;
        else stored.skipped += 1;
      });
      stored.rejected.push(...refused);
    }
  }
  return { ...stored, rejected: stored.rejected.toSorted((one_, other) => one_.position - other.position) };
}

/** Positions of the images, in groups in which no path comes twice: one request may not have it twice. */
function inWaves(items: readonly ImageRecord[]): number[][] {
  const seen = new Map<string, number>();
  const waves: number[][] = [];
  for (const [i, { message }] of items.entries()) {
    const path = message.image?.imagePath ?? "";
    const wave = seen.get(path) ?? 0;
    seen.set(path, wave + 1);
    (waves[wave] ??= []).push(i);
  }
  return waves;
}

/** Does it with all of the images, or again without those that the service names as bad, where they may be left out. */
async function leavingOut(
  positions: readonly number[],
  { skipsBadRows }: SendImagesOptions,
  send: (positions: readonly number[]) => Promise<void>,
): Promise<Rejected[]> {
  let left = positions;
  const rejected: Rejected[] = [];
  while (left.length > 0) {
    try {
      await send(left);
      return rejected;
    } catch (error) {
      const refused = refusedBy(error, left);
      if (!refused) throw error;
      if (!skipsBadRows) throw inPositions(error as KindredError, refused);
      rejected.push(...refused);
      const bad = new Set(refused.map(({ position }) => position));
      left = left.filter((position) => !bad.has(position));
    }
  }
  return rejected;
}

/** The images that a refusal names; undefined when it names none, or something else, too. */
function refusedBy(error: unknown, positions: readonly number[]): Rejected[] | undefined {
  if (!isKindredError(error) || error.kind !== "invalid-argument") return undefined;
  const reasons = new Map<number, string[]>();
  for (const { field, description } of error.violations) {
    const place = placeOf(field.startsWith("image.") ? `images[0].${field}` : field);
    const position = place && positions[place.position];
    if (position === undefined) return undefined;
    reasons.set(position, [...(reasons.get(position) ?? []), `${place?.field} ${description}`]);
  }
  if (reasons.size === 0) return undefined;
  return [...reasons].map(([position, all]) => ({ position, reason: all.join("; ") }));
}

function inPositions(error: KindredError, refused: readonly Rejected[]): KindredError {
  return new KindredError(error.kind, error.message, {
    cause: error,
    violations: refused.map(({ position, reason }) => {
      const [field = "", ...rest] = reason.split(" ");
      return { field: `images[${position}].${field}`, description: rest.join(" ") };
    }),
  });
}

/** Whether it was added; BatchAddImages would embed its description. */
async function addBare(
  images: Clients["images"],
  { message }: ImageRecord,
  { onConflict, signal }: SendImagesOptions & { signal: AbortSignal },
): Promise<boolean> {
  try {
    await translated(() =>
      images.addImage(
        { ...(message.image && { image: message.image }) },
        { signal, timeoutMs: BATCH_TIMEOUT_MS },
      ),
    );
    return true;
  } catch (error) {
    const isThere = isKindredError(error) && error.kind === "already-exists";
    if (!isThere || onConflict === "error") throw error;
    return false;
  }
}

// oxlint-disable-next-line typescript/require-await -- a client stream is an async iterable
async function* one<T>(message: T): AsyncIterable<T> {
  yield message;
}
