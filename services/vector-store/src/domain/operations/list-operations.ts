import type { CallLimits } from "../ports.ts";
import { decodeOperationToken, encodeOperationToken } from "../page-token.ts";
import type { Operation, OperationStore } from "./operation.ts";

/**
 * One page of operations, the latest first. What is begun meanwhile appears on none of the later pages.
 * @param request.pageSize at least 1
 * @throws KindredError invalid-argument on `page_token`.
 */
export async function listOperations(
  deps: { operations: Pick<OperationStore, "list"> },
  request: { collection: string | undefined; active: boolean; pageSize: number; pageToken: string },
  limits: CallLimits,
): Promise<{ operations: Operation[]; nextPageToken: string }> {
  const { collection, active, pageSize } = request;
  const list = { collection, active };
  const beforeId = decodeOperationToken(list, request.pageToken);
  // One more than asked for: it tells whether there is a next page.
  const found = await deps.operations.list({ ...list, beforeId, limit: pageSize + 1 }, limits);
  const operations = found.slice(0, pageSize);
  const last = operations.at(-1);
  return {
    operations,
    nextPageToken: found.length > pageSize && last ? encodeOperationToken(list, last.id) : "",
  };
}
