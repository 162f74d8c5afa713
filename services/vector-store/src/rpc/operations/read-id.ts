import type { FieldChecks } from "@kindred/rpc";

/** The id of an operation: from 1. */
export function readId(id: bigint, checks: FieldChecks): bigint {
  if (id < 1n) checks.add("id", `must be that of an operation, 1 or more; is ${id}`);
  return id;
}
