import type { Operation, OperationState, OperationTerms } from "./operation.ts";

const STATES: Record<OperationState, string> = {
  queued: "is queued",
  running: "is running",
  cancelling: "is being cancelled",
  succeeded: "has succeeded",
  failed: "has failed",
  cancelled: "was cancelled",
};

/** For people, e.g. "operation 12 (index build)". */
export function operationTitle<Kind extends string>(
  { kinds, idPrefix = "" }: OperationTerms<Kind>,
  { id, kind }: Pick<Operation<Kind>, "id" | "kind">,
): string {
  return `operation ${idPrefix}${id} (${kinds[kind]})`;
}

/** For people, e.g. "is running". */
export function operationStanding({ state }: Pick<Operation, "state">): string {
  return STATES[state];
}
