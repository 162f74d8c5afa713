import { KindredError } from "@kindred/errors";
import type { Database } from "@kindred/postgres";
import { escapeIdentifier, type PoolClient } from "pg";
import { countDown } from "../call-limits.ts";
import { operationStanding, operationTitle } from "../describe-operation.ts";
import type { CallLimits, NewOperation, Operation, OperationStore, OperationTerms } from "../operation.ts";
import { pause } from "../pause.ts";
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

/** For those who come while another operation of the same subject is active. */
const BUSY_RETRY_MS = 5000;
/** A watcher is told of changes at most so often. */
const WATCH_EVERY_MS = 250;
/** How long a watcher waits before it looks by itself: a message may have been lost, or there are none. */
const LOOK_EVERY_MS = { live: 5000, otherwise: 500 };
/** What ends while it is being looked for makes room for a new one: then it is tried again, so often. */
const START_ATTEMPTS = 5;

export interface PostgresOperationStore<Kind extends string = string> extends OperationStore<Kind> {
  /** Asks all active operations of a subject to end, and leaves a note why. Doesn't wait for that. */
  cancelAll(subject: string, note: string, limits: CallLimits): Promise<void>;
  /** Ends all watching with "unavailable", which lets a server drain: clients watch again elsewhere. */
  endWatches(): void;
}

/** Operations in `operations`. @param changes tells watchers; it stays the caller's. */
export function operationStore<Kind extends string>(
  db: Database,
  table: OperationTable<Kind>,
  changes: OperationChanges,
): PostgresOperationStore<Kind> {
  const { terms } = table;
  const columns = operationColumns(table.subjectColumn);
  const subjectColumn = escapeIdentifier(table.subjectColumn);
  const closing = new AbortController();

  const one = async (
    where: string,
    value: unknown,
    limits: CallLimits,
  ): Promise<Operation<Kind> | undefined> => {
    const { rows } = await db.statement<OperationRow>(
      { text: `SELECT ${columns} FROM operations o WHERE ${where}`, values: [value] },
      limits,
    );
    return rows[0] && toOperation<Kind>(rows[0]);
  };

  const get = async (id: bigint, limits: CallLimits): Promise<Operation<Kind>> => {
    const found = await one("o.id = $1", String(id), limits);
    if (!found) throw noOperation(terms, id);
    return found;
  };

  return {
    get,

    async start(operation, limits) {
      const left = countDown(limits);
      for (let attempt = 1; ; attempt++) {
        const outcome = await db.transaction((client) => insert(client, table, changes, operation), left());
        if (outcome.operation) {
          changes.announce(outcome.operation.id, { wanted: true });
          return outcome.operation;
        }
        if (outcome.inTheWay || attempt === START_ATTEMPTS) throw busy(table, operation, outcome.inTheWay);
      }
    },

    async list({ subject, active, beforeId, limit }, limits) {
      const { rows } = await db.statement<OperationRow>(
        {
          text: `
            SELECT ${columns} FROM operations o
             WHERE ($1::text IS NULL OR o.${subjectColumn} = $1) AND (NOT $2 OR o.finished_at IS NULL)
               AND ($3::bigint IS NULL OR o.id < $3)
             ORDER BY o.id DESC LIMIT $4`,
          values: [subject ?? null, active, beforeId === undefined ? null : String(beforeId), limit],
        },
        limits,
      );
      return rows.map((row) => toOperation<Kind>(row));
    },

    async cancel(id, limits) {
      const left = countDown(limits);
      const { rows } = await db.statement<OperationRow>(
        {
          text: `
            WITH changed AS (${cancelStatement("id = $1 AND finished_at IS NULL")})
            SELECT ${columns}, ${changes.notifySql("o.id", { wanted: true })} FROM changed o`,
          values: [String(id)],
        },
        left(),
      );
      changes.announce(id, { wanted: true });
      if (rows[0]) return toOperation<Kind>(rows[0]);
      const found = await get(id, left());
      throw new KindredError(
        "failed-precondition",
        `${operationTitle(terms, found)} ${operationStanding(found)}: there is nothing to cancel`,
      );
    },

    async cancelAll(subject, note, limits) {
      const { rows } = await db.statement<{ id: string }>(
        {
          text: `
            WITH changed AS (${cancelStatement(`${subjectColumn} = $1 AND finished_at IS NULL`, "$2::text")})
            SELECT id, ${changes.notifySql("id", { wanted: true })} FROM changed`,
          values: [subject, keepable(note)],
        },
        limits,
      );
      for (const { id } of rows) changes.announce(BigInt(id), { wanted: true });
    },

    async *watch(id, limits) {
      const left = countDown(limits);
      const over = AbortSignal.any([closing.signal, ...(limits.signal ? [limits.signal] : [])]);
      const changed = changesOf(changes, id);
      try {
        let shown: string | undefined;
        while (!over.aborted) {
          changed.forget();
          const operation = await get(id, { ...left(), signal: over });
          const state = fingerprint(operation);
          if (state !== shown) yield operation;
          shown = state;
          if (operation.finishedAt) return;
          await pause(WATCH_EVERY_MS, over);
          await changed.next(changes.live ? LOOK_EVERY_MS.live : LOOK_EVERY_MS.otherwise, over);
        }
      } catch (error) {
        // Who asked for the end has it; why this process ends, its callers should know.
        if (!limits.signal?.aborted) throw error;
      } finally {
        changed.end();
      }
      closing.signal.throwIfAborted();
    },

    endWatches() {
      closing.abort(
        new KindredError("unavailable", "the service is shutting down: watch again", { retryAfterMs: 1000 }),
      );
    },
  };
}

/**
 * Ends at once what nobody has begun; what somebody has, its runner cleans up after.
 * @param where a condition on `operations`; @param note a parameter with the note to be added, or nothing
 */
function cancelStatement(where: string, note?: string): string {
  const unbegun = "owner IS NULL AND attempts = 0";
  return `
    UPDATE operations SET
      cancel_requested = true,
      state = CASE WHEN ${unbegun} THEN 'cancelled' ELSE 'cancelling' END,
      finished_at = CASE WHEN ${unbegun} THEN clock_timestamp() END,
      lease_until = CASE WHEN owner IS NOT NULL THEN lease_until END,
      ${note ? `notes = CASE WHEN notes ? ${note} THEN notes ELSE notes || jsonb_build_array(${note}) END,` : ""}
      updated_at = clock_timestamp()
    WHERE ${where} RETURNING *`;
}

interface Started<Kind extends string> {
  operation?: Operation<Kind>;
  /** What holds the subject; neither where that has just ended. */
  inTheWay?: Operation<Kind>;
}

async function insert<Kind extends string>(
  client: PoolClient,
  table: OperationTable<Kind>,
  changes: OperationChanges,
  operation: NewOperation<Kind>,
): Promise<Started<Kind>> {
  const { subject, kind, requestId } = operation;
  const { terms, subjects } = table;
  const subjectColumn = escapeIdentifier(table.subjectColumn);
  const columns = operationColumns(table.subjectColumn);
  const first = async (where: string, values: unknown[]): Promise<Operation<Kind> | undefined> => {
    const { rows } = await client.query<OperationRow>(
      `SELECT ${columns} FROM operations o WHERE ${where}`,
      values,
    );
    return rows[0] && toOperation<Kind>(rows[0]);
  };
  const known = async (): Promise<Operation<Kind> | undefined> => {
    if (requestId === undefined) return undefined;
    const found = await first("o.request_id = $1", [requestId]);
    if (found && (found.kind !== kind || found.subject !== subject)) {
      throw new KindredError(
        "already-exists",
        `the request id ${JSON.stringify(requestId)} is that of ${operationTitle(terms, found)} of the ${terms.subject} ` +
          `${JSON.stringify(found.subject)}: give each request an id of its own`,
      );
    }
    return found;
  };
  const earlier = await known();
  if (earlier) return { operation: earlier };
  // Whoever deletes the subject waits for this, or this for them.
  const { rowCount } = await client.query(
    `SELECT 1 FROM ${escapeIdentifier(subjects.table)} WHERE ${escapeIdentifier(subjects.key)} = $1 FOR KEY SHARE`,
    [subject],
  );
  if (rowCount === 0) throw table.noSubject(subject);
  const { rows } = await client.query<OperationRow>(
    `WITH o AS (
       INSERT INTO operations (kind, ${subjectColumn}, spec, automatic, request_id) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT DO NOTHING RETURNING *)
     SELECT ${columns}, ${changes.notifySql("o.id", { wanted: true })} FROM o`,
    [
      kindValue(kind),
      subject,
      toJson(operation.spec),
      operation.automatic,
      requestId === undefined ? null : keepable(requestId),
    ],
  );
  if (rows[0]) return { operation: toOperation<Kind>(rows[0]) };
  // Another request was quicker: with the same id, or with another operation of this subject.
  const meanwhile = await known();
  if (meanwhile) return { operation: meanwhile };
  const rivals = table.oneActiveOf.find((kinds) => kinds.includes(kind)) ?? [];
  const inTheWay = await first(
    `o.${subjectColumn} = $1 AND o.finished_at IS NULL AND o.kind = ANY ($2::text[])`,
    [subject, rivals.map(kindValue)],
  );
  return inTheWay ? { inTheWay } : {};
}

function noOperation({ idPrefix = "" }: Pick<OperationTerms<string>, "idPrefix">, id: bigint): KindredError {
  return new KindredError("not-found", `there is no operation ${idPrefix}${id}`);
}

function busy<Kind extends string>(
  { terms, busyAs }: OperationTable<Kind>,
  { subject }: NewOperation<Kind>,
  inTheWay: Operation<Kind> | undefined,
): KindredError {
  const named = `the ${terms.subject} ${JSON.stringify(subject)}`;
  return new KindredError(
    inTheWay ? busyAs : "aborted",
    inTheWay
      ? `${operationTitle(terms, inTheWay)} of ${named} ${operationStanding(inTheWay)}: wait for it, or cancel it`
      : `operations of ${named} come and go: try again`,
    {
      retryAfterMs: BUSY_RETRY_MS,
      ...(inTheWay && { metadata: { operation_id: String(inTheWay.id) } }),
    },
  );
}

/** What a watcher is told of: all but what changes with the time alone. */
function fingerprint({ rate: _rate, remainingMs: _remaining, ...operation }: Operation): string {
  return JSON.stringify(operation, (_, value: unknown) =>
    typeof value === "bigint" ? String(value) : value,
  );
}

/** Waits for the next change of one operation. */
function changesOf(
  changes: OperationChanges,
  id: bigint,
): { forget(): void; next(mostMs: number, signal: AbortSignal): Promise<void>; end(): void } {
  let changed = new AbortController();
  const end = changes.subscribe((which) => {
    if (which === undefined || which === id) changed.abort();
  });
  return {
    forget: () => {
      if (changed.signal.aborted) changed = new AbortController();
    },
    next: (mostMs, signal) => pause(mostMs, AbortSignal.any([signal, changed.signal])),
    end,
  };
}
