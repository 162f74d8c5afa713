import type { OperationTable } from "@kindred/operations/postgres";
import { noCollection } from "../../domain/collection.ts";
import { OPERATION_TERMS, type OperationKind } from "../../domain/operations/operation.ts";

/** This service's `operations`, as its migrations made them. */
export const OPERATION_TABLE: OperationTable<OperationKind> = {
  terms: OPERATION_TERMS,
  subjects: { table: "collections", key: "name" },
  subjectColumn: "collection",
  noSubject: noCollection,
  // An index is not built while its table is being replaced. Tuning only reads.
  oneActiveOf: [["index-build", "index-rebuild", "index-drop", "reembedding"], ["recall-tuning"]],
  doneAlone: ["index-build", "index-rebuild"],
  busyAs: "aborted",
};
