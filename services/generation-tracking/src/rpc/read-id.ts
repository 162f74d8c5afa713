import type { FieldChecks } from "@kindred/rpc";

/** Checks an id of a generation. */
export function readId(id: bigint, checks: FieldChecks): bigint {
  if (id < 1n) checks.add("id", `must be at least 1, is ${id}`);
  return id;
}
