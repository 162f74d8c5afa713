import type { Embedding, Image } from "@kindred/contracts/vector-store/v1";
import { isKindredError, KindredError } from "@kindred/errors";
import { delayBefore, isPassing } from "@kindred/rpc";
import { translated, type Clients } from "../clients.ts";
import { Patience, type PatienceDeps } from "../patience.ts";
import type { ExportedImage } from "./image-record.ts";

export interface ReadDeps extends PatienceDeps {
  patienceMs: number;
  signal: AbortSignal;
}

/** Images of a page: with their vectors, some megabytes. */
const PAGE_SIZE = 200;
/** Calls for single images that are under way at the same time. */
const CALLS_AT_ONCE = 8;
/** The contract's limit of keys in one GetItems. */
const KEYS_AT_ONCE = 1_000;
const CATALOGUE = "images";

/**
 * All images by ascending id, a page at a time, each with its embeddings. It is no snapshot: what is changed meanwhile may be seen or
 * not, and nothing is seen twice.
 * @throws KindredError, aborted when the catalogue was moved to another embedding space meanwhile; or the signal's reason
 */
export async function* readImages(
  clients: Pick<Clients, "images" | "vectors" | "collections">,
  wanted: { sourceDataset: string; tags: readonly string[]; vector: boolean },
  deps: ReadDeps,
): AsyncGenerator<ExportedImage[]> {
  const call = patientCalls(deps);
  const { signal } = deps;
  const spaceNow = async (): Promise<string | undefined> =>
    (await call(() => clients.collections.getCollection({ name: CATALOGUE }, { signal }))).collection
      ?.spaceId;
  const space = await spaceNow();
  let pageToken = "";
  do {
    const request = {
      pageSize: PAGE_SIZE,
      pageToken,
      sourceDataset: wanted.sourceDataset,
      tags: [...wanted.tags],
    };
    const page = await call(() => clients.images.listImages(request, { signal }));
    const images = await inParallel(page.images, CALLS_AT_ONCE, (image) =>
      readEmbeddings(clients, image, call, signal),
    );
    const found = images.filter((image) => image !== undefined);
    const vectors = wanted.vector ? await readVectors(clients, found, call, signal) : undefined;
    // Before anything is handed out: a vector of another space than its row says would be worth nothing.
    if (vectors && (await spaceNow()) !== space)
      throw new KindredError(
        "aborted",
        "the images were moved to another embedding space meanwhile; begin anew",
      );
    yield found.map(({ image, embeddings }) => ({
      image,
      embeddings: embeddings.flatMap((embedding) => {
        const vector = vectors?.get(String(embedding.id));
        // One that is gone was deleted since.
        return vectors && !vector ? [] : [{ embedding, vector }];
      }),
    }));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}

interface WithEmbeddings {
  image: Image;
  embeddings: Embedding[];
}

type Call = <T>(make: () => Promise<T>) => Promise<T>;

/** undefined for an image that was deleted since. */
async function readEmbeddings(
  { images }: Pick<Clients, "images">,
  { id }: Image,
  call: Call,
  signal: AbortSignal,
): Promise<WithEmbeddings | undefined> {
  try {
    const { image, embeddings } = await call(() =>
      images.getImage({ key: { case: "id", value: id } }, { signal }),
    );
    return image && { image, embeddings };
  } catch (error) {
    if (isKindredError(error) && error.kind === "not-found") return undefined;
    throw error;
  }
}

/** By the ids of the embeddings, which are the keys of the catalogue's items. */
async function readVectors(
  { vectors }: Pick<Clients, "vectors">,
  images: readonly WithEmbeddings[],
  call: Call,
  signal: AbortSignal,
): Promise<Map<string, Uint8Array>> {
  const keys = images.flatMap(({ embeddings }) => embeddings.map(({ id }) => String(id)));
  const found = new Map<string, Uint8Array>();
  for (let from = 0; from < keys.length; from += KEYS_AT_ONCE) {
    const { items } = await call(() =>
      vectors.getItems(
        {
          collection: CATALOGUE,
          keys: keys.slice(from, from + KEYS_AT_ONCE),
          projection: { vector: true, omitMetadata: true, omitDocument: true },
        },
        { signal },
      ),
    );
    for (const { key, vector } of items) found.set(key, vector);
  }
  return found;
}

/** Makes a call again that fails for a reason that passes, as long as there is patience. */
export function patientCalls(deps: ReadDeps): Call {
  const patience = new Patience(deps, deps.patienceMs);
  return async (make) => {
    for (let attempt = 0; ; attempt++) {
      try {
        const result = await translated(make);
        patience.renew();
        return result;
      } catch (error) {
        deps.signal.throwIfAborted();
        if (!isPassing(error) || patience.isOver(error)) throw error;
        await deps.sleep(delayBefore(attempt, error), deps.signal);
      }
    }
  };
}

/**
 * In the order of the values.
 * @throws what the first work that failed threw, when all that is under way has ended
 */
export async function inParallel<T, R>(
  values: readonly T[],
  atOnce: number,
  work: (value: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const failures: unknown[] = [];
  const queue = values.entries();
  const lane = async (): Promise<void> => {
    for (const [i, value] of queue) {
      if (failures.length > 0) return;
      try {
        results[i] = await work(value, i);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, values.length) }, lane));
  if (failures.length > 0) throw failures[0];
  return results;
}
