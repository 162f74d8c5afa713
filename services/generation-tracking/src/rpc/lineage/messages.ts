import { OutputState as ProtoState } from "@kindred/contracts/generation-tracking/v1";
import type { FieldChecks } from "@kindred/rpc";
import type { OutputState } from "../../domain/generation.ts";
import { toDomainOutputState } from "../messages.ts";

export function checkId(field: string, id: bigint, checks: FieldChecks): void {
  if (id <= 0n) checks.add(field, `must be at least 1, is ${id}`);
}

/** Undefined for UNSPECIFIED, and for what is no state, which is added to `checks`. */
export function readOutputState(
  field: string,
  state: ProtoState,
  checks: FieldChecks,
): OutputState | undefined {
  if (state === ProtoState.UNSPECIFIED) return undefined;
  const known = toDomainOutputState(state);
  if (!known) checks.add(field, `must be a known OutputState, is ${state}`);
  return known;
}
