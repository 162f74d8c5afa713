import type { VectorIndexes } from "../domain/ports.ts";
import { toIndexMessage } from "./messages.ts";

export function listIndexesRpc({ indexes }: { indexes: Pick<VectorIndexes, "list"> }) {
  return async () => ({ indexes: (await indexes.list()).map(toIndexMessage) });
}
