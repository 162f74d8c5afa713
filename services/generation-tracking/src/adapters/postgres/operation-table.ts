import type { OperationTable } from "@kindred/operations/postgres";
import { OPERATION_TERMS, type OperationKind } from "../../domain/operations/operation.ts";
import { noPolicy } from "../../domain/retention/ports.ts";

/** This service's `operations`, as its migrations made them. */
export const OPERATION_TABLE: OperationTable<OperationKind> = {
  terms: OPERATION_TERMS,
  subjects: { table: "retention_policies", key: "name" },
  subjectColumn: "subject",
  noSubject: noPolicy,
  oneActiveOf: [["retention"]],
  // Two of them at a time would read the same rows, and wait for each other's locks.
  doneAlone: ["retention"],
  busyAs: "already-exists",
};
