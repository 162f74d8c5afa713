export { countDown } from "./call-limits.ts";
export { operationStanding, operationTitle } from "./describe-operation.ts";
export { listOperations, type OperationList } from "./list-operations.ts";
export type {
  Claim,
  MeasuredProgress,
  OperationClaims,
  Outcome,
  Said,
  Standing,
} from "./operation-claims.ts";
export type { RunnerLog, RunnerTimes } from "./operation-run.ts";
export { OperationRunner, type RunnerDeps, type RunnerObserver } from "./operation-runner.ts";
export {
  ACTIVE_STATES,
  type CallLimits,
  type JsonObject,
  type JsonValue,
  type NewOperation,
  type Operation,
  type OperationContext,
  type OperationHandler,
  type OperationProgress,
  type OperationQuery,
  type OperationState,
  type OperationStore,
  type OperationTerms,
} from "./operation.ts";
export { pause } from "./pause.ts";
