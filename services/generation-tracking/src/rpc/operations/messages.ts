import { OperationKind as KindMessage } from "@kindred/contracts/common/v1";
import { toOperationMessage as toMessage, type OperationContract } from "@kindred/operations/rpc";
import type { Operation, OperationKind } from "../../domain/operations/operation.ts";

export const OPERATION_CONTRACT: OperationContract<OperationKind, "policy"> = {
  subject: "policy",
  kinds: { retention: KindMessage.RETENTION },
};

export function toOperationMessage(operation: Operation): ReturnType<typeof toMessage> {
  return toMessage(OPERATION_CONTRACT, operation);
}
