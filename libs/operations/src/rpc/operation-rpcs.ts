import type { HandlerContext } from "@connectrpc/connect";
import { invalidField } from "@kindred/errors";
import { startChecks, type FieldChecks } from "@kindred/rpc";
import { countDown } from "../call-limits.ts";
import { listOperations } from "../list-operations.ts";
import type { CallLimits, OperationStore } from "../operation.ts";
import { toOperationMessage, type OperationContract, type OperationSubject } from "./operation-message.ts";

const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 1000;

export interface OperationRpcsDeps<Kind extends string, Subject extends OperationSubject> {
  operations: Pick<OperationStore<Kind>, "get" | "list" | "cancel" | "watch">;
  contract: OperationContract<Kind, Subject>;
  /** Whether something can have this name. */
  checkSubject: (field: string, name: string, checks: FieldChecks) => void;
}

interface OneRequest {
  id: bigint;
}

/** The filter is called what the service's operations are about; empty: anything. */
type ListRequest<Subject extends OperationSubject> = Record<Subject, string> & {
  active: boolean;
  pageSize: number;
  pageToken: string;
};

/** The methods of a service's OperationService. Bad input is refused before the store is asked. */
export function operationRpcs<Kind extends string, Subject extends OperationSubject>(
  deps: OperationRpcsDeps<Kind, Subject>,
) {
  const { operations, contract, checkSubject } = deps;
  return {
    async getOperation({ id }: OneRequest, context: HandlerContext) {
      const operation = await operations.get(readId(id), limitsOf(context));
      return { operation: toOperationMessage(contract, operation) };
    },

    async listOperations(request: ListRequest<Subject>, context: HandlerContext) {
      const checks = startChecks();
      const range = { max: MAX_PAGE_SIZE, zero: DEFAULT_PAGE_SIZE };
      const pageSize = checks.count("page_size", request.pageSize, range);
      const name: string = request[contract.subject];
      if (name !== "") checkSubject(contract.subject, name, checks);
      checks.throwIfAny();
      const { active, pageToken } = request;
      const query = { subject: name || undefined, active, pageSize, pageToken };
      const page = await listOperations({ operations }, query, limitsOf(context));
      return {
        operations: page.operations.map((operation) => toOperationMessage(contract, operation)),
        nextPageToken: page.nextPageToken,
      };
    },

    async cancelOperation({ id }: OneRequest, context: HandlerContext) {
      const operation = await operations.cancel(readId(id), limitsOf(context));
      return { operation: toOperationMessage(contract, operation) };
    },

    async *watchOperation({ id }: OneRequest, context: HandlerContext) {
      for await (const operation of operations.watch(readId(id), limitsOf(context)))
        yield { operation: toOperationMessage(contract, operation) };
      // Without this, a call that was broken off would look like an operation that has ended.
      context.signal.throwIfAborted();
    },
  };
}

/** @throws KindredError invalid-argument */
function readId(id: bigint): bigint {
  if (id < 1n) throw invalidField("id", `must be that of an operation, 1 or more; is ${id}`);
  return id;
}

function limitsOf(context: HandlerContext): CallLimits {
  return countDown({ signal: context.signal, timeoutMs: context.timeoutMs() })();
}
