import type { Operation, OperationKind, OperationState } from "./operation.ts";

const KINDS: Record<OperationKind, string> = {
  "index-build": "index build",
  "index-rebuild": "index rebuild",
  "index-drop": "index drop",
  "recall-tuning": "recall tuning",
  reembedding: "re-embedding",
};

const STATES: Record<OperationState, string> = {
  queued: "is queued",
  running: "is running",
  cancelling: "is being cancelled",
  succeeded: "has succeeded",
  failed: "has failed",
  cancelled: "was cancelled",
};

/** For people, e.g. "operation 12 (index build)". */
export function operationTitle({ id, kind }: Pick<Operation, "id" | "kind">): string {
  return `operation ${id} (${KINDS[kind]})`;
}

/** For people, e.g. "is running". */
export function operationStanding({ state }: Pick<Operation, "state">): string {
  return STATES[state];
}
