import type { ReportModelPathsRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import type { ModelCacheStore } from "../../domain/model-cache.ts";
import { checkSize } from "./messages.ts";

const MAX_FINDINGS = 1000;

export function reportModelPathsRpc(deps: { modelCache: ModelCacheStore }) {
  return async ({ findings }: ReportModelPathsRequest) => {
    const checks = startChecks();
    checks.size("findings", findings, { max: MAX_FINDINGS });
    checks.throwIfAny();
    const seen = new Set<bigint>();
    for (const [i, { id, present, sizeBytes }] of findings.entries()) {
      const path = `findings[${i}]`;
      if (id < 1n) checks.add(`${path}.id`, `must be at least 1, is ${id}`);
      else if (seen.has(id)) checks.add(`${path}.id`, `must be of one finding only, is ${id} again`);
      seen.add(id);
      checkSize(`${path}.size_bytes`, sizeBytes, checks);
      if (!present && sizeBytes !== undefined)
        checks.add(`${path}.size_bytes`, "must not be set where nothing is present");
    }
    checks.throwIfAny();
    const updated = await deps.modelCache.reportPaths(
      findings.map(({ id, present, sizeBytes }) => ({ id, present, sizeBytes })),
    );
    return { updated: BigInt(updated) };
  };
}
