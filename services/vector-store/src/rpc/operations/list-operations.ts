import type { HandlerContext } from "@connectrpc/connect";
import type { ListOperationsRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import { listOperations } from "../../domain/operations/list-operations.ts";
import type { OperationStore } from "../../domain/operations/operation.ts";
import { readName } from "../collections/collection-fields.ts";
import { limitsOf } from "../limits.ts";
import { toOperationMessage } from "./messages.ts";

const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 1000;

export function listOperationsRpc(deps: { operations: Pick<OperationStore, "list"> }) {
  return async (request: ListOperationsRequest, context: HandlerContext) => {
    const checks = startChecks();
    const range = { max: MAX_PAGE_SIZE, zero: DEFAULT_PAGE_SIZE };
    const pageSize = checks.count("page_size", request.pageSize, range);
    const subject =
      request.collection === "" ? undefined : readName(request.collection, "collection", checks);
    checks.throwIfAny();
    const { active, pageToken } = request;
    const page = await listOperations(deps, { subject, active, pageSize, pageToken }, limitsOf(context));
    return { operations: page.operations.map(toOperationMessage), nextPageToken: page.nextPageToken };
  };
}
