import type { ServiceImpl } from "@connectrpc/connect";
import type { OperationService } from "@kindred/contracts/vector-store/v1";
import type { OperationStore } from "../../domain/operations/operation.ts";
import { cancelOperationRpc } from "./cancel-operation.ts";
import { getOperationRpc } from "./get-operation.ts";
import { listOperationsRpc } from "./list-operations.ts";
import { watchOperationRpc } from "./watch-operation.ts";

export function operationRoutes(deps: { operations: OperationStore }): ServiceImpl<typeof OperationService> {
  return {
    getOperation: getOperationRpc(deps),
    listOperations: listOperationsRpc(deps),
    cancelOperation: cancelOperationRpc(deps),
    watchOperation: watchOperationRpc(deps),
  };
}
