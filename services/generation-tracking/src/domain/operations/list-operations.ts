import { listOperations as listPage, type CallLimits, type OperationList } from "@kindred/operations";
import { operationTokens } from "./operation-token.ts";
import type { Operation, OperationStore } from "./operation.ts";

/** One page of operations, the latest first: see listOperations of @kindred/operations. */
export function listOperations(
  { operations }: { operations: Pick<OperationStore, "list"> },
  request: OperationList & { pageSize: number; pageToken: string },
  limits: CallLimits,
): Promise<{ operations: Operation[]; nextPageToken: string }> {
  return listPage({ operations, tokens: operationTokens }, request, limits);
}
