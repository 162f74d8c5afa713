import type * as operations from "@kindred/operations";

/** What this service does for long. What it is about is a retention policy. */
export type OperationKind = "retention";

export type Operation = operations.Operation<OperationKind>;
export type OperationContext = operations.OperationContext<OperationKind>;
export type OperationHandler = operations.OperationHandler<OperationKind>;
export type NewOperation = operations.NewOperation<OperationKind>;
export type OperationStore = operations.OperationStore<OperationKind>;
export { countDown, type CallLimits, type OperationState } from "@kindred/operations";

export const OPERATION_TERMS: operations.OperationTerms<OperationKind> = {
  subject: "policy",
  kinds: { retention: "retention" },
  idPrefix: "g",
};
