import type { ConnectRouter } from "@connectrpc/connect";
import { RetentionService } from "@kindred/contracts/generation-tracking/v1";
import type { GenerationStore } from "../../domain/generation-store.ts";
import type { OperationStore } from "../../domain/operations/operation.ts";
import type { DeletePolicyDeps } from "../../domain/retention/delete-policy.ts";
import type { RetentionPolicies, RetentionRuns } from "../../domain/retention/ports.ts";
import { deleteRetentionPolicyRpc } from "./delete-retention-policy.ts";
import { listRetentionPoliciesRpc } from "./list-retention-policies.ts";
import { previewRetentionRpc } from "./preview-retention.ts";
import { putRetentionPolicyRpc } from "./put-retention-policy.ts";
import { startRetentionRpc } from "./start-retention.ts";

export interface RetentionDeps {
  store: Pick<GenerationStore, "findMany">;
  operations: OperationStore;
  policies: RetentionPolicies;
  runs: RetentionRuns;
  cancelOperations: DeletePolicyDeps["cancelOperations"];
}

export function addRetentionService(router: ConnectRouter, deps: RetentionDeps): void {
  router.service(RetentionService, {
    putRetentionPolicy: putRetentionPolicyRpc(deps),
    listRetentionPolicies: listRetentionPoliciesRpc(deps),
    deleteRetentionPolicy: deleteRetentionPolicyRpc(deps),
    previewRetention: previewRetentionRpc(deps),
    startRetention: startRetentionRpc(deps),
  });
}
