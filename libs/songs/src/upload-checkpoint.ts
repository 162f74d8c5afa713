import type { CachePosition } from "@kindred/embedding-cache";
import { readJson, writeWhole } from "@kindred/process";

/** What is uploaded, and where it goes: an upload that goes on has to agree in all of it. */
export interface UploadIdentity {
  collection: string;
  /** ISO 8601: one that was registered anew is another one, as those of other stores are. */
  collectionCreatedAt: string;
  /** Of the embedding cache: one that was made anew is another one. */
  cacheId: string;
}

/** How far an upload got: `upload.json`. */
export interface UploadCheckpoint {
  version: 1;
  identity: UploadIdentity;
  /** Everything before it is stored. */
  position: CachePosition;
  /** Vectors before it. */
  rows: number;
}

/** Where to go on; a text says why not. undefined when there is no checkpoint. */
export async function readCheckpoint(
  path: string,
  identity: UploadIdentity,
): Promise<UploadCheckpoint | string | undefined> {
  const found = await readJson(path);
  if (found === undefined) return undefined;
  if (!isCheckpoint(found)) return "it is of another version";
  return differenceOf(found.identity, identity) ?? found;
}

export async function writeCheckpoint(
  path: string,
  checkpoint: Omit<UploadCheckpoint, "version">,
): Promise<void> {
  const content: UploadCheckpoint = { version: 1, ...checkpoint };
  await writeWhole(path, `${JSON.stringify(content, undefined, 2)}\n`, { durable: true });
}

function isCheckpoint(value: unknown): value is UploadCheckpoint {
  const { version, identity, position, rows } = (value ?? {}) as Partial<UploadCheckpoint>;
  return (
    version === 1 &&
    typeof identity?.collection === "string" &&
    Number.isSafeInteger(position?.segment) &&
    Number.isSafeInteger(position?.offset) &&
    Number.isSafeInteger(rows)
  );
}

function differenceOf(before: UploadIdentity, now: UploadIdentity): string | undefined {
  if (before.collection !== now.collection) return `that upload went into ${before.collection}`;
  if (before.collectionCreatedAt !== now.collectionCreatedAt)
    return "the collection was registered anew since";
  if (before.cacheId !== now.cacheId) return "the embeddings were begun anew since";
  return undefined;
}
