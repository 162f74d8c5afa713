import type { HandlerContext } from "@connectrpc/connect";
import type { PreviewRetentionRequest } from "@kindred/contracts/generation-tracking/v1";
import { invalidField } from "@kindred/errors";
import { startChecks, timestampOf } from "@kindred/rpc";
import type { GenerationStore } from "../../domain/generation-store.ts";
import type { CallLimits } from "../../domain/operations/operation.ts";
import type { RetentionPolicy } from "../../domain/retention/policy.ts";
import { noPolicy, type RetentionPolicies, type RetentionRuns } from "../../domain/retention/ports.ts";
import { limitsOf } from "../limits.ts";
import { toGenerationMessage, toProtoStatus } from "../messages.ts";
import { checkPolicyName, readPolicy } from "./policy-fields.ts";

export interface PreviewRetentionDeps {
  policies: Pick<RetentionPolicies, "find">;
  runs: Pick<RetentionRuns, "preview">;
  store: Pick<GenerationStore, "findMany">;
}

export function previewRetentionRpc(deps: PreviewRetentionDeps) {
  return async (request: PreviewRetentionRequest, context: HandlerContext) => {
    const left = limitsOf(context);
    const preview = await deps.runs.preview(await readWhich(deps, request, left), left());
    const { count, total, byStatus, oldestMicros, newestMicros, sampleIds, kept } = preview;
    return {
      count,
      total,
      byStatus: byStatus.map((each) => ({ status: toProtoStatus(each.status), count: each.count })),
      ...(oldestMicros !== undefined && { oldest: timestampOf(oldestMicros) }),
      ...(newestMicros !== undefined && { newest: timestampOf(newestMicros) }),
      samples: (await deps.store.findMany(sampleIds)).map(toGenerationMessage),
      kept,
    };
  };
}

async function readWhich(
  { policies }: PreviewRetentionDeps,
  { which }: PreviewRetentionRequest,
  left: () => CallLimits,
): Promise<RetentionPolicy> {
  const checks = startChecks();
  if (which.case === "policy") {
    const policy = readPolicy(which.value, "policy", checks, { nameless: true });
    checks.throwIfAny();
    return policy;
  }
  if (which.case === undefined) throw invalidField("which", "must be set: give name or policy");
  checkPolicyName("name", which.value, checks);
  checks.throwIfAny();
  const policy = await policies.find(which.value, left());
  if (!policy) throw noPolicy(which.value);
  return policy;
}
