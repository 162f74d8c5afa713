import { OperationKind as KindMessage } from "@kindred/contracts/common/v1";
import { toOperationMessage as toMessage, type OperationContract } from "@kindred/operations/rpc";
import type { Operation, OperationKind } from "../../domain/operations/operation.ts";

export const OPERATION_CONTRACT: OperationContract<OperationKind, "collection"> = {
  subject: "collection",
  kinds: {
    "index-build": KindMessage.INDEX_BUILD,
    "index-rebuild": KindMessage.INDEX_REBUILD,
    "index-drop": KindMessage.INDEX_DROP,
    "recall-tuning": KindMessage.RECALL_TUNING,
    reembedding: KindMessage.REEMBEDDING,
  },
};

export function toOperationMessage(operation: Operation): ReturnType<typeof toMessage> {
  return toMessage(OPERATION_CONTRACT, operation);
}
