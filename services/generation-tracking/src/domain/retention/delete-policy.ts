import type { CallLimits } from "@kindred/operations";
import { noPolicy, type RetentionPolicies } from "./ports.ts";

export interface DeletePolicyDeps {
  policies: Pick<RetentionPolicies, "remove">;
  /** Asks all active operations of a policy to end, and leaves a note why. */
  cancelOperations: (policy: string, note: string, limits: CallLimits) => Promise<void>;
}

/** Deletes a policy, and asks the operation that applies it to end. @throws KindredError not-found */
export async function deletePolicy(
  { policies, cancelOperations }: DeletePolicyDeps,
  name: string,
  left: () => CallLimits,
): Promise<void> {
  // First, so that no further operation can begin; one that begins meanwhile is waited for, and then cancelled.
  const removed = await policies.remove(name, left());
  if (!removed) throw noPolicy(name);
  await cancelOperations(name, "its policy was deleted", left());
}
