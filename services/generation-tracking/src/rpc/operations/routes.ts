import type { ConnectRouter } from "@connectrpc/connect";
import { OperationService } from "@kindred/contracts/generation-tracking/v1";
import type { OperationStore } from "../../domain/operations/operation.ts";
import { cancelOperationRpc } from "./cancel-operation.ts";
import { getOperationRpc } from "./get-operation.ts";
import { listOperationsRpc } from "./list-operations.ts";
import { watchOperationRpc } from "./watch-operation.ts";

export function addOperationService(router: ConnectRouter, deps: { operations: OperationStore }): void {
  router.service(OperationService, {
    getOperation: getOperationRpc(deps),
    listOperations: listOperationsRpc(deps),
    cancelOperation: cancelOperationRpc(deps),
    watchOperation: watchOperationRpc(deps),
  });
}
