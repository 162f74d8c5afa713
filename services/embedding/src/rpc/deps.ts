import type { Admission } from "../domain/admission.ts";
import type { ModelLease, ModelRegistry } from "../domain/model-registry.ts";

/** What the calls need. */
export interface CallDeps {
  readonly registry: ModelRegistry;
  readonly admission: Admission;
  /** Most calls in progress, for Info. */
  readonly maxConcurrentRequests: number;
}

/**
 * Takes a place among the calls in progress, and the model, until it is disposed of. Without a name it is the one that embeds
 * into the expected space, or else the default one.
 * @throws KindredError resource-exhausted at once when there is no place; what `acquire` throws.
 */
export async function openCall(
  { registry, admission }: CallDeps,
  wanted: { model: string; expectedSpaceId: string },
  signal: AbortSignal,
): Promise<ModelLease> {
  using opening = new DisposableStack();
  opening.use(admission.enter());
  const { name, served } = opening.use(
    await registry.acquire(wanted.model || registry.nameBySpace(wanted.expectedSpaceId), signal),
  );
  const open = opening.move();
  return { name, served, [Symbol.dispose]: () => open.dispose() };
}
