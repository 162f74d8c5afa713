import {
  OutputState,
  type OutputFinding as FindingMessage,
  type ReportOutputsRequest,
} from "@kindred/contracts/generation-tracking/v1";
import { startChecks, type FieldChecks } from "@kindred/rpc";
import type { LineageStore, OutputFinding } from "../../domain/lineage/ports.ts";
import { microsOf } from "../timestamps.ts";
import { checkId, readOutputState } from "./messages.ts";

const MAX_FINDINGS = 10_000;
const SHA256_BYTES = 32;
/** Clocks of two machines may differ by so much. A finding that is further ahead would keep later ones out. */
const MAX_AHEAD_MS = 5 * 60_000;

export function reportOutputsRpc(deps: { lineage: Pick<LineageStore, "report"> }) {
  return async (request: ReportOutputsRequest) => {
    const checks = startChecks();
    checks.size("findings", request.findings, { max: MAX_FINDINGS });
    checks.throwIfAny();
    const findings = request.findings.map((finding, i) => readFinding(finding, `findings[${i}]`, checks));
    checkDistinct(findings, checks);
    checks.throwIfAny();
    return { updated: await deps.lineage.report(findings) };
  };
}

function readFinding(message: FindingMessage, path: string, checks: FieldChecks): OutputFinding {
  const { generationId, position, verifiedAt, sizeBytes, sha256 } = message;
  checkId(`${path}.generation_id`, generationId, checks);
  if (position < 1) checks.add(`${path}.position`, `must be at least 1, is ${position}`);
  const state = readOutputState(`${path}.state`, message.state, checks);
  if (message.state === OutputState.UNSPECIFIED)
    checks.add(`${path}.state`, "is required: kept, missing or changed");
  const isTime = checks.time(`${path}.verified_at`, verifiedAt);
  if (verifiedAt && isTime && microsOf(verifiedAt) > BigInt(Date.now() + MAX_AHEAD_MS) * 1000n)
    checks.add(`${path}.verified_at`, "must not be in the future");
  if (sizeBytes !== undefined && sizeBytes < 0n) {
    checks.add(`${path}.size_bytes`, `must not be negative, is ${sizeBytes}`);
  }
  if (sha256.length !== 0 && sha256.length !== SHA256_BYTES) {
    checks.add(`${path}.sha256`, `must be ${SHA256_BYTES} bytes, are ${sha256.length}`);
  }
  return {
    generationId,
    position,
    state: state ?? "unknown",
    verifiedAtMicros: verifiedAt && microsOf(verifiedAt),
    sizeBytes,
    sha256: sha256.length === 0 ? undefined : sha256,
  };
}

/** Which of two findings of one output is right nobody knows. */
function checkDistinct(findings: readonly OutputFinding[], checks: FieldChecks): void {
  const seen = new Map<string, number>();
  findings.forEach(({ generationId, position }, i) => {
    const key = `${generationId}/${position}`;
    const first = seen.get(key);
    if (first === undefined) seen.set(key, i);
    else checks.add(`findings[${i}]`, `is of the same output as findings[${first}]`);
  });
}
