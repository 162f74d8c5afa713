import type { ErrorKind } from "@kindred/errors";
import { escapeIdentifier } from "pg";
import type { JsonObject, Operation, OperationState } from "../operation.ts";

/** A row of `operations` as operationColumns reads it: 64-bit integers and JSON are text. */
export interface OperationRow {
  id: string;
  kind: string;
  subject: string;
  state: OperationState;
  spec: string;
  checkpoint: string;
  result: string | null;
  failure_kind: ErrorKind | null;
  failure_message: string | null;
  notes: string;
  phase: string;
  phase_number: number;
  phase_count: number;
  done: string;
  total: string;
  unit: string;
  rate: number | null;
  automatic: boolean;
  attempts: number;
  created_at: Date;
  started_at: Date | null;
  updated_at: Date;
  finished_at: Date | null;
}

/**
 * Of the table under the alias `o`. The rate is that from `measured_since` to now by the database's clock, so that it sinks while nothing
 * is reported.
 */
export const operationColumns = (subjectColumn: string): string => `
  o.id, o.kind, o.${escapeIdentifier(subjectColumn)} AS subject, o.state, o.spec::text AS spec, o.checkpoint::text AS checkpoint, o.result::text AS result,
  o.failure_kind, o.failure_message, o.notes::text AS notes, o.phase, o.phase_number, o.phase_count, o.done, o.total, o.unit,
  CASE WHEN o.owner IS NOT NULL AND o.done > o.measured_since_done AND clock_timestamp() > o.measured_since
       THEN ((o.done - o.measured_since_done) / extract(epoch FROM clock_timestamp() - o.measured_since))::float8 END AS rate,
  o.automatic, o.attempts, o.created_at, o.started_at, o.updated_at, o.finished_at`;

export function toOperation<Kind extends string>(row: OperationRow): Operation<Kind> {
  const progress = {
    phase: row.phase,
    phaseNumber: row.phase_number,
    phaseCount: row.phase_count,
    done: Number(row.done),
    total: Number(row.total),
    unit: row.unit,
  };
  const rate = row.rate ?? undefined;
  return {
    id: BigInt(row.id),
    kind: row.kind.replaceAll("_", "-") as Kind,
    subject: row.subject,
    state: row.state,
    progress,
    rate,
    remainingMs: remaining(progress, rate),
    spec: JSON.parse(row.spec) as JsonObject,
    checkpoint: JSON.parse(row.checkpoint) as JsonObject,
    result: row.result === null ? undefined : (JSON.parse(row.result) as JsonObject),
    failure:
      row.failure_kind === null ? undefined : { kind: row.failure_kind, message: row.failure_message ?? "" },
    notes: JSON.parse(row.notes) as string[],
    automatic: row.automatic,
    attempts: row.attempts,
    createdAt: row.created_at,
    startedAt: row.started_at ?? undefined,
    updatedAt: row.updated_at,
    finishedAt: row.finished_at ?? undefined,
  };
}

/** A total is often an estimate: more may be done than that, and then nobody knows. */
function remaining(
  { done, total }: { done: number; total: number },
  rate: number | undefined,
): number | undefined {
  if (rate === undefined || total < done || total === 0) return undefined;
  return ((total - done) / rate) * 1000;
}

/** As the table's check spells it. */
export function kindValue(kind: string): string {
  return kind.replaceAll("-", "_");
}

/** What PostgreSQL keeps in a text and in JSON: no NUL, and no half of a surrogate pair. */
export function keepable(text: string): string {
  return text.replaceAll("\0", "\uFFFD").toWellFormed();
}

/** JSON for the database, whatever texts it holds; integers of 64 bits as texts, as JSON has none. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner === "bigint") return String(inner);
    return typeof inner === "string" ? keepable(inner) : inner;
  });
}
