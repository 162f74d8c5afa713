import type { Admission } from "../domain/admission.ts";
import type { ModelRegistry } from "../domain/model-registry.ts";

/** What the calls need. */
export interface CallDeps {
  readonly registry: ModelRegistry;
  readonly admission: Admission;
  /** Most calls in progress, for Info. */
  readonly maxConcurrentRequests: number;
}
