import { randomUUID } from "node:crypto";
import type { Database } from "@kindred/postgres";
import { escapeIdentifier } from "pg";
import type { Claim, OperationClaims, Said, Standing } from "../operation-claims.ts";
import type { OperationChanges } from "./operation-changes.ts";
import {
  keepable,
  kindValue,
  operationColumns,
  toJson,
  toOperation,
  type OperationRow,
} from "./operation-rows.ts";
import type { OperationTable } from "./operation-table.ts";

/** Whoever waits longer for one of these statements would lose the lease over it. */
const TIMEOUT_MS = 5000;

/** Nobody does it: it never had an owner, was given back (perhaps to be left alone for a while), or its owner is dead. */
const FREE = "o.finished_at IS NULL AND coalesce(o.lease_until <= clock_timestamp(), true)";

const claimable = `
  o.kind = ANY ($1) AND o.id <> ALL ($3::bigint[]) AND ${FREE}
  AND (o.kind <> ALL ($2) OR o.cancel_requested OR NOT EXISTS (
    SELECT 1 FROM operations other
     WHERE other.kind = ANY ($2) AND other.id <> o.id AND other.finished_at IS NULL
       AND other.owner IS NOT NULL AND other.lease_until > clock_timestamp()))`;

interface StandingRow {
  cancel_requested: boolean;
  subject_exists: boolean;
  setbacks: number;
}

/** Leases in `operations`. @param changes is told what happens, for watchers and for whoever waits for something to do */
export function operationClaims<Kind extends string>(
  db: Database,
  table: OperationTable<Kind>,
  changes: OperationChanges,
): OperationClaims<Kind> {
  const lockKey = `kindred/${db.schema}/operations/claim`;
  const columns = operationColumns(table.subjectColumn);
  const { subjects, subjectColumn } = table;
  const subjectExists = `EXISTS (
    SELECT 1 FROM ${escapeIdentifier(subjects.table)} s
     WHERE s.${escapeIdentifier(subjects.key)} = changed.${escapeIdentifier(subjectColumn)}) AS subject_exists`;
  /** Changes the row as long as it is ours; $1 and $2 are its id and owner. */
  const update = async (
    claim: Claim,
    set: string,
    values: readonly unknown[],
    { wanted = false, quietly = false } = {},
  ): Promise<StandingRow | undefined> => {
    const { rows } = await db.statement<StandingRow & { id: string }>(
      {
        text: `
          WITH changed AS (UPDATE operations SET ${set} WHERE id = $1 AND owner = $2 AND finished_at IS NULL RETURNING *)
          SELECT cancel_requested, setbacks, ${subjectExists}
                 ${quietly ? "" : `, ${changes.notifySql("id", { wanted })}`}
            FROM changed`,
        values: [String(claim.operation.id), claim.owner, ...values],
      },
      { timeoutMs: TIMEOUT_MS },
    );
    if (rows[0] && !quietly) changes.announce(claim.operation.id, { wanted });
    return rows[0];
  };

  const saying = (
    claim: Claim,
    said: Said,
    set: readonly string[] = [],
    values: readonly unknown[] = [],
    options = { wanted: false },
  ) => {
    const spoken = saidColumns(said, 3 + values.length);
    const assignments = [...set, ...spoken.set, "updated_at = clock_timestamp()"].join(", ");
    return update(claim, assignments, [...values, ...spoken.values], options);
  };

  return {
    renewalsWait: !db.capabilities.concurrentSessions,

    async claim(kinds, leaseMs, except) {
      const wanted = [kinds.map(kindValue), table.doneAlone.map(kindValue), except.map(String)];
      const { rowCount } = await db.statement(
        { text: `SELECT 1 FROM operations o WHERE ${claimable} LIMIT 1`, values: wanted },
        { timeoutMs: TIMEOUT_MS },
      );
      if (rowCount === 0) return undefined;
      const owner = randomUUID();
      const row = await db.transaction(
        async (client) => {
          // Two that look at the same time would each not see what the other takes, to be done alone.
          if (db.capabilities.advisoryLocks) {
            await client.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [lockKey]);
          }
          const { rows } = await client.query<OperationRow & { cancel_requested: boolean; setbacks: number }>(
            `WITH next AS (
               SELECT o.id FROM operations o WHERE ${claimable} ORDER BY o.id LIMIT 1 FOR UPDATE SKIP LOCKED
             ), changed AS (
               UPDATE operations SET
                 state = CASE WHEN cancel_requested THEN 'cancelling' ELSE 'running' END,
                 -- An owner that is still there has not given it back: it was killed.
                 setbacks = setbacks + CASE WHEN owner IS NULL THEN 0 ELSE 1 END,
                 owner = $4, lease_until = clock_timestamp() + $5 * interval '1 millisecond', attempts = attempts + 1,
                 started_at = coalesce(started_at, clock_timestamp()), measured_since = NULL,
                 updated_at = clock_timestamp()
               WHERE id = (SELECT id FROM next) RETURNING *)
             SELECT ${columns}, o.cancel_requested, o.setbacks, ${changes.notifySql("o.id", { wanted: false })} FROM changed o`,
            [...wanted, owner, leaseMs],
          );
          return rows[0];
        },
        { timeoutMs: TIMEOUT_MS },
      );
      if (!row) return undefined;
      const operation = toOperation<Kind>(row);
      changes.announce(operation.id, { wanted: false });
      return { operation, owner, cancelRequested: row.cancel_requested, setbacks: row.setbacks };
    },

    renew: async (claim, leaseMs) =>
      toStanding(
        await update(claim, "lease_until = clock_timestamp() + $3 * interval '1 millisecond'", [leaseMs], {
          quietly: true,
        }),
      ),

    say: async (claim, said) => toStanding(await saying(claim, said)),

    checkpoint: async (claim, state, said) =>
      toStanding(await saying(claim, said, ["checkpoint = $3", "setbacks = 0"], [toJson(state)])),

    async setBack(claim, said) {
      const row = await saying(claim, said, ["setbacks = setbacks + 1"]);
      return row && { ...(toStanding(row) as Standing), setbacks: row.setbacks };
    },

    async finish(claim, outcome, said) {
      const failure = outcome.state === "failed" ? [outcome.kind, keepable(outcome.message)] : [null, null];
      const result = outcome.state === "succeeded" ? toJson(outcome.result) : null;
      const row = await saying(
        claim,
        said,
        [
          "state = $3",
          "failure_kind = $4",
          "failure_message = $5",
          "result = $6",
          "owner = NULL",
          "lease_until = NULL",
          "finished_at = clock_timestamp()",
        ],
        [outcome.state, ...failure, result],
        // Whoever waits for what is done alone may go on now.
        { wanted: true },
      );
      return row !== undefined;
    },

    async handBack(claim, said) {
      await saying(
        claim,
        said,
        [
          "state = CASE WHEN cancel_requested THEN 'cancelling' ELSE 'queued' END",
          "owner = NULL",
          "lease_until = NULL",
        ],
        [],
        { wanted: true },
      );
    },
  };
}

function toStanding(row: StandingRow | undefined): Standing | undefined {
  return row && { cancelRequested: row.cancel_requested, subjectExists: row.subject_exists };
}

/** @param from the number of its first parameter */
function saidColumns({ progress, notes }: Said, from: number): { set: string[]; values: unknown[] } {
  const values: unknown[] = [];
  const parameter = (value: unknown): string => `$${from + values.push(value) - 1}`;
  const set: string[] = [];
  if (notes.length > 0) set.push(`notes = notes || ${parameter(toJson(notes))}::jsonb`);
  if (progress) {
    set.push(
      `phase = ${parameter(keepable(progress.phase))}`,
      `phase_number = ${parameter(progress.phaseNumber)}`,
      `phase_count = ${parameter(progress.phaseCount)}`,
      `done = ${parameter(progress.done)}`,
      `total = ${parameter(progress.total)}`,
      `unit = ${parameter(keepable(progress.unit))}`,
      `measured_since = clock_timestamp() - ${parameter(progress.measuredMs)} * interval '1 millisecond'`,
      `measured_since_done = ${parameter(progress.measuredFromDone)}`,
    );
  }
  return { set, values };
}
