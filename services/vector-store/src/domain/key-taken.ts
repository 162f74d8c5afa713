import { KindredError } from "@kindred/errors";

/** @param field path of the key in the request */
export function keyTaken(collection: string, key: string, field?: string): KindredError {
  const subject = field === undefined ? "" : `${field}: `;
  return new KindredError(
    "already-exists",
    `${subject}the collection ${JSON.stringify(collection)} has an item ${JSON.stringify(key)} already; ` +
      "skip or replace it, or leave it out",
    { metadata: { collection, key, ...(field !== undefined && { field }) } },
  );
}
