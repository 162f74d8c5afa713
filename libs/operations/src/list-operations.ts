import { pageTokens } from "@kindred/page-tokens";
import type { CallLimits, Operation, OperationStore } from "./operation.ts";

/** Which of all operations a list is of. */
export interface OperationList {
  /** Undefined: about anything. */
  subject: string | undefined;
  /** Only those that have not ended. */
  active: boolean;
}

/** The id before which a page begins. */
const tokens = pageTokens({ name: "operations", position: ["integer"] });

/**
 * One page of operations, the latest first. What is begun meanwhile appears on none of the later pages.
 * @param request.pageSize at least 1
 * @throws KindredError invalid-argument on `page_token`.
 */
export async function listOperations<Kind extends string>(
  deps: { operations: Pick<OperationStore<Kind>, "list"> },
  request: OperationList & { pageSize: number; pageToken: string },
  limits: CallLimits,
): Promise<{ operations: Operation<Kind>[]; nextPageToken: string }> {
  const { subject, active, pageSize } = request;
  const list = { subject, active };
  const [beforeId] = tokens.open(list, request.pageToken) ?? [];
  // One more than asked for: it tells whether there is a next page.
  const found = await deps.operations.list({ ...list, beforeId, limit: pageSize + 1 }, limits);
  const operations = found.slice(0, pageSize);
  const last = operations.at(-1);
  return {
    operations,
    nextPageToken: found.length > pageSize && last ? tokens.seal(list, [last.id]) : "",
  };
}
