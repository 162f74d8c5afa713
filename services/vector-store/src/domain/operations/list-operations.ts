import { listOperations as listPage, type CallLimits, type OperationList } from "@kindred/operations";
import { decodeOperationToken, encodeOperationToken } from "../page-token.ts";
import type { Operation, OperationStore } from "./operation.ts";

const tokens = { encode: encodeOperationToken, decode: decodeOperationToken };

/** One page of operations, the latest first: see listOperations of @kindred/operations. */
export function listOperations(
  { operations }: { operations: Pick<OperationStore, "list"> },
  request: OperationList & { pageSize: number; pageToken: string },
  limits: CallLimits,
): Promise<{ operations: Operation[]; nextPageToken: string }> {
  return listPage({ operations, tokens }, request, limits);
}
