import type { GenerationProgress, ReportProgressRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks, timestampOf, type FieldChecks } from "@kindred/rpc";
import type { LifeDeps } from "../domain/end-generation.ts";
import { reportProgress } from "../domain/report-progress.ts";
import { readId } from "./read-id.ts";

const MAX_MESSAGE_CHARACTERS = 200;

export function reportProgressRpc(deps: LifeDeps) {
  return async (request: ReportProgressRequest) => {
    const checks = startChecks();
    const id = readId(request.id, checks);
    const progress = request.progress && readProgress(request.progress, checks);
    checks.throwIfAny();
    return { leaseExpiresAt: timestampOf(await reportProgress(deps, id, progress)) };
  };
}

function readProgress({ done, total, message }: GenerationProgress, checks: FieldChecks) {
  checks.notNegative("progress.done", done);
  checks.notNegative("progress.total", total);
  checks.text("progress.message", message, { maxCharacters: MAX_MESSAGE_CHARACTERS });
  return { done, total, message };
}
