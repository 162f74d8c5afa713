import type { KindredError } from "@kindred/errors";
import type { OperationTerms } from "../operation.ts";

/**
 * A service's table `operations`, and what its operations are about. The service's migrations make the table; the columns are those of
 * operation-rows.ts and operation-claims.ts, with the kinds spelt with underscores.
 */
export interface OperationTable<Kind extends string> {
  terms: OperationTerms<Kind>;
  /** The table with what operations are about, and its unique column with their names. */
  subjects: { table: string; key: string };
  /** The column of `operations` with the name of what it is about. */
  subjectColumn: string;
  /** What is told to whoever begins an operation about nothing that is there. */
  noSubject(name: string): KindredError;
  /** Of the kinds in one list, one operation at most of a subject is active: so say unique indexes of the table. Each kind is in one. */
  oneActiveOf: readonly (readonly Kind[])[];
  /** Of these kinds one operation at most is done at a time, whatever it is about. */
  doneAlone: readonly Kind[];
  /** The kind of error for those that come while another operation is in their way. */
  busyAs: "aborted" | "already-exists";
}
