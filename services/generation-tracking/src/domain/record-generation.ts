import { KindredError } from "@kindred/errors";
import type { Generation, GenerationFields } from "./generation.ts";
import type { GenerationStore, InsertOptions } from "./generation-store.ts";
import { requestDigest } from "./request-digest.ts";

/**
 * Stores a generation once per idempotency key, however often and concurrently it is asked to.
 * @param idempotencyKey empty: every call stores a generation
 * @throws KindredError already-exists when the key was used to record something else; not-found when its parent is not there.
 */
export async function recordGeneration(
  deps: { store: Pick<GenerationStore, "insert" | "findByIdempotencyKey"> },
  fields: GenerationFields,
  idempotencyKey: string,
  options: Omit<InsertOptions, "idempotency"> = {},
): Promise<{ generation: Generation; existing: boolean }> {
  const idempotency = idempotencyKey ? { key: idempotencyKey, digest: requestDigest(fields) } : undefined;
  const stored = await deps.store.insert(fields, { ...options, idempotency });
  if (stored) return { generation: stored, existing: false };
  const earlier = await deps.store.findByIdempotencyKey(idempotencyKey);
  if (!earlier || !idempotency) {
    throw new KindredError("aborted", "the generation with this idempotency_key was removed meanwhile", {
      retryAfterMs: 0,
    });
  }
  if (Buffer.compare(earlier.digest, idempotency.digest) !== 0)
    throw keyTaken(idempotencyKey, earlier.generation, fields);
  return { generation: earlier.generation, existing: true };
}

function keyTaken(key: string, earlier: Generation, fields: GenerationFields): KindredError {
  const difference = earlier.prompt === fields.prompt ? "the same prompt but other values" : "another prompt";
  return new KindredError(
    "already-exists",
    `idempotency_key ${JSON.stringify(key)} was used for ${difference}: give each recording a key of its own`,
    { metadata: { generation_id: String(earlier.id) } },
  );
}
