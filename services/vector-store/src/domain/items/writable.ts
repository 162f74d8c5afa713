import { KindredError } from "@kindred/errors";
import type { Collection } from "../collection.ts";

/** @throws KindredError failed-precondition for the images catalogue, whose embeddings belong to images. */
export function requireWritable({ kind, name }: Collection): void {
  if (kind !== "images") return;
  throw new KindredError(
    "failed-precondition",
    `the items of ${JSON.stringify(name)} are embeddings of images: write them by kindred.vector_store.v1.ImageService`,
  );
}

/** @throws KindredError failed-precondition for a user's table, of which only key and vector are written. */
export function requireOwnMetadata({ kind, name }: Collection, what: string): void {
  if (kind !== "registered") return;
  throw new KindredError(
    "failed-precondition",
    `${what} of ${JSON.stringify(name)} are columns of a registered table, which are only read here: change them by SQL`,
  );
}
