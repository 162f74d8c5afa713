import type { HandlerContext } from "@connectrpc/connect";
import type { ListOperationsRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import { listOperations } from "../../domain/operations/list-operations.ts";
import type { OperationStore } from "../../domain/operations/operation.ts";
import { limitsOf } from "../limits.ts";
import { checkPolicyName } from "../retention/policy-fields.ts";
import { toOperationMessage } from "./messages.ts";

const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 1000;

export function listOperationsRpc(deps: { operations: Pick<OperationStore, "list"> }) {
  return async (request: ListOperationsRequest, context: HandlerContext) => {
    const checks = startChecks();
    const range = { max: MAX_PAGE_SIZE, zero: DEFAULT_PAGE_SIZE };
    const pageSize = checks.count("page_size", request.pageSize, range);
    if (request.subject !== "") checkPolicyName("subject", request.subject, checks);
    checks.throwIfAny();
    const { active, pageToken } = request;
    const subject = request.subject === "" ? undefined : request.subject;
    const page = await listOperations(deps, { subject, active, pageSize, pageToken }, limitsOf(context)());
    return { operations: page.operations.map(toOperationMessage), nextPageToken: page.nextPageToken };
  };
}
