import { invalidField } from "@kindred/errors";

/** The id of an operation: from 1. @throws KindredError invalid-argument */
export function readOperationId(id: bigint): bigint {
  if (id < 1n) throw invalidField("id", `must be that of an operation, 1 or more; is ${id}`);
  return id;
}
