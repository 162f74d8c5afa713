import { KindredError } from "@kindred/errors";
import type { Textless } from "./reembedding-ports.ts";

/** Items without a text have nothing that could be embedded into another space. */
export function textlessError(collection: string, { count, keys }: Textless): KindredError {
  const named = keys.map((key) => JSON.stringify(key)).join(", ");
  return new KindredError(
    "failed-precondition",
    `${count} ${count === 1 ? "item" : "items"} of ${JSON.stringify(collection)} ${count === 1 ? "has" : "have"} no text to embed, ` +
      `e.g. ${named}: give them documents by UpdateMetadata (images a description), or delete them`,
    { metadata: { collection, items: String(count) } },
  );
}
