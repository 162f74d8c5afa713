export { OperationChanges } from "./operation-changes.ts";
export { operationClaims } from "./operation-claims.ts";
export { operationStore, type PostgresOperationStore } from "./operation-store.ts";
export type { OperationTable } from "./operation-table.ts";
