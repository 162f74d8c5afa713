import type { ConnectRouter } from "@connectrpc/connect";
import { OperationService } from "@kindred/contracts/generation-tracking/v1";
import { operationRpcs } from "@kindred/operations/rpc";
import type { OperationStore } from "../../domain/operations/operation.ts";
import { checkPolicyName } from "../retention/policy-fields.ts";
import { OPERATION_CONTRACT } from "./messages.ts";

export function addOperationService(
  router: ConnectRouter,
  { operations }: { operations: OperationStore },
): void {
  router.service(
    OperationService,
    operationRpcs({
      operations,
      contract: OPERATION_CONTRACT,
      checkSubject: checkPolicyName,
    }),
  );
}
