import { isKindredError } from "@kindred/errors";
import type { CallLimits } from "@kindred/operations";
import type { Operation, OperationStore } from "../operations/operation.ts";
import { policySpec } from "./policy.ts";
import { noPolicy, type RetentionPolicies } from "./ports.ts";

export interface ApplyRetentionDeps {
  policies: Pick<RetentionPolicies, "find">;
  operations: Pick<OperationStore, "start">;
}

/**
 * Begins to delete what a policy lets go.
 * @param request.requestId undefined: none
 * @throws KindredError not-found; already-exists while another operation of the policy goes on
 */
export async function startRetention(
  deps: ApplyRetentionDeps,
  request: { name: string; requestId: string | undefined },
  left: () => CallLimits,
): Promise<Operation> {
  const { name, requestId } = request;
  const policy = await deps.policies.find(name, left());
  if (!policy) throw noPolicy(name);
  return await deps.operations.start(
    { kind: "retention", subject: name, spec: policySpec(policy), automatic: false, requestId },
    left(),
  );
}

/**
 * Begins the operations of policies whose time has come. Any number of replicas may do so at the same time: each application is begun once.
 * @returns how many were begun, or found begun
 */
export async function applyDuePolicies(
  deps: {
    policies: Pick<RetentionPolicies, "due">;
    operations: Pick<OperationStore, "start">;
    log: { info(fields: object, message: string): void };
  },
  signal: AbortSignal,
): Promise<number> {
  let begun = 0;
  for (const { policy, requestId } of await deps.policies.due({ signal })) {
    signal.throwIfAborted();
    try {
      const { id } = await deps.operations.start(
        { kind: "retention", subject: policy.name, spec: policySpec(policy), automatic: true, requestId },
        { signal },
      );
      deps.log.info({ policy: policy.name, operation: String(id) }, "began to apply a retention policy");
      begun++;
    } catch (error) {
      // Deleted meanwhile, or applied by somebody who asked for it: other policies are not to wait for that.
      if (!isKindredError(error) || !["not-found", "already-exists", "aborted"].includes(error.kind))
        throw error;
      deps.log.info({ err: error, policy: policy.name }, "a retention policy was not applied by itself");
    }
  }
  return begun;
}
