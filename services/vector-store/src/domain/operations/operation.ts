import type * as operations from "@kindred/operations";

/** What this service does for long. What it is about is a collection. */
export type OperationKind = "index-build" | "index-rebuild" | "index-drop" | "recall-tuning" | "reembedding";

export type Operation = operations.Operation<OperationKind>;
export type NewOperation = operations.NewOperation<OperationKind>;
export type OperationContext = operations.OperationContext<OperationKind>;
export type OperationHandler = operations.OperationHandler<OperationKind>;
export type OperationStore = operations.OperationStore<OperationKind>;
export type { OperationProgress, OperationState } from "@kindred/operations";

export const OPERATION_TERMS: operations.OperationTerms<OperationKind> = {
  subject: "collection",
  kinds: {
    "index-build": "index build",
    "index-rebuild": "index rebuild",
    "index-drop": "index drop",
    "recall-tuning": "recall tuning",
    reembedding: "re-embedding",
  },
};
