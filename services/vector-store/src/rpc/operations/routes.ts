import type { ServiceImpl } from "@connectrpc/connect";
import type { OperationService } from "@kindred/contracts/vector-store/v1";
import { operationRpcs } from "@kindred/operations/rpc";
import type { OperationStore } from "../../domain/operations/operation.ts";
import { readName } from "../collections/collection-fields.ts";
import { OPERATION_CONTRACT } from "./messages.ts";

export function operationRoutes({
  operations,
}: {
  operations: OperationStore;
}): ServiceImpl<typeof OperationService> {
  return operationRpcs({
    operations,
    contract: OPERATION_CONTRACT,
    checkSubject: (field, name, checks) => readName(name, field, checks),
  });
}
