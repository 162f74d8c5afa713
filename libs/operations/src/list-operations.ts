import type { CallLimits, Operation, OperationStore } from "./operation.ts";

/** Which of all operations a list is of. */
export interface OperationList {
  /** Undefined: about anything. */
  subject: string | undefined;
  /** Only those that have not ended. */
  active: boolean;
}

/** How a list's position is told to callers. */
export interface OperationTokens {
  encode(list: OperationList, lastId: bigint): string;
  /** @returns undefined for the empty token. @throws KindredError invalid-argument on `page_token` for one of another list */
  decode(list: OperationList, token: string): bigint | undefined;
}

/**
 * One page of operations, the latest first. What is begun meanwhile appears on none of the later pages.
 * @param request.pageSize at least 1
 * @throws KindredError invalid-argument on `page_token`.
 */
export async function listOperations<Kind extends string>(
  deps: { operations: Pick<OperationStore<Kind>, "list">; tokens: OperationTokens },
  request: OperationList & { pageSize: number; pageToken: string },
  limits: CallLimits,
): Promise<{ operations: Operation<Kind>[]; nextPageToken: string }> {
  const { subject, active, pageSize } = request;
  const list = { subject, active };
  const beforeId = deps.tokens.decode(list, request.pageToken);
  // One more than asked for: it tells whether there is a next page.
  const found = await deps.operations.list({ ...list, beforeId, limit: pageSize + 1 }, limits);
  const operations = found.slice(0, pageSize);
  const last = operations.at(-1);
  return {
    operations,
    nextPageToken: found.length > pageSize && last ? deps.tokens.encode(list, last.id) : "",
  };
}
