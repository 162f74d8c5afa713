import { KindredError } from "@kindred/errors";
import type { Database } from "@kindred/postgres";
import type { PoolClient } from "pg";
import { countDown } from "../../domain/call-limits.ts";
import { noCollection } from "../../domain/collection.ts";
import { operationStanding, operationTitle } from "../../domain/operations/describe-operation.ts";
import { pause } from "../../domain/operations/pause.ts";
import type { NewOperation, Operation, OperationStore } from "../../domain/operations/operation.ts";
import type { CallLimits } from "../../domain/ports.ts";
import type { OperationChanges } from "./operation-changes.ts";
import {
  keepable,
  kindValue,
  OPERATION_COLUMNS,
  toJson,
  toOperation,
  type OperationRow,
} from "./operation-rows.ts";

/** For those who come while another operation of the collection is active. */
const BUSY_RETRY_MS = 5000;
/** A watcher is told of changes at most so often. */
const WATCH_EVERY_MS = 250;
/** How long a watcher waits before it looks by itself: a message may have been lost, or there are none. */
const LOOK_EVERY_MS = { live: 5000, otherwise: 500 };
/** What ends while it is being looked for makes room for a new one: then it is tried again, so often. */
const START_ATTEMPTS = 5;

export interface PostgresOperationStore extends OperationStore {
  /** Asks all active operations of a collection to end, and leaves a note why. Doesn't wait for that. */
  cancelAll(collection: string, note: string, limits: CallLimits): Promise<void>;
  /** Ends all watching with "unavailable", which lets a server drain: clients watch again elsewhere. */
  endWatches(): void;
}

/** Operations in `operations`. @param changes tells watchers; it stays the caller's. */
export function operationStore(db: Database, changes: OperationChanges): PostgresOperationStore {
  const closing = new AbortController();

  const one = async (where: string, value: unknown, limits: CallLimits): Promise<Operation | undefined> => {
    const { rows } = await db.statement<OperationRow>(
      { text: `SELECT ${OPERATION_COLUMNS} FROM operations o WHERE ${where}`, values: [value] },
      limits,
    );
    return rows[0] && toOperation(rows[0]);
  };

  const get = async (id: bigint, limits: CallLimits): Promise<Operation> => {
    const found = await one("o.id = $1", String(id), limits);
    if (!found) throw noOperation(id);
    return found;
  };

  return {
    get,

    async start(operation, limits) {
      const left = countDown(limits);
      for (let attempt = 1; ; attempt++) {
        const outcome = await db.transaction((client) => insert(client, changes, operation), left());
        if (outcome.operation) {
          changes.announce(outcome.operation.id, { wanted: true });
          return outcome.operation;
        }
        if (outcome.inTheWay || attempt === START_ATTEMPTS) throw busy(operation, outcome.inTheWay);
      }
    },

    async list({ collection, active, beforeId, limit }, limits) {
      const { rows } = await db.statement<OperationRow>(
        {
          text: `
            SELECT ${OPERATION_COLUMNS} FROM operations o
             WHERE ($1::text IS NULL OR o.collection = $1) AND (NOT $2 OR o.finished_at IS NULL)
               AND ($3::bigint IS NULL OR o.id < $3)
             ORDER BY o.id DESC LIMIT $4`,
          values: [collection ?? null, active, beforeId === undefined ? null : String(beforeId), limit],
        },
        limits,
      );
      return rows.map(toOperation);
    },

    async cancel(id, limits) {
      const left = countDown(limits);
      const { rows } = await db.statement<OperationRow>(
        {
          text: `
            WITH changed AS (${cancelStatement("id = $1 AND finished_at IS NULL")})
            SELECT ${OPERATION_COLUMNS}, ${changes.notifySql("o.id", { wanted: true })} FROM changed o`,
          values: [String(id)],
        },
        left(),
      );
      changes.announce(id, { wanted: true });
      if (rows[0]) return toOperation(rows[0]);
      const found = await get(id, left());
      throw new KindredError(
        "failed-precondition",
        `${operationTitle(found)} ${operationStanding(found)}: there is nothing to cancel`,
      );
    },

    async cancelAll(collection, note, limits) {
      const { rows } = await db.statement<{ id: string }>(
        {
          text: `
            WITH changed AS (${cancelStatement("collection = $1 AND finished_at IS NULL", "$2::text")})
            SELECT id, ${changes.notifySql("id", { wanted: true })} FROM changed`,
          values: [collection, keepable(note)],
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

interface Started {
  operation?: Operation;
  /** What holds the collection; neither where that has just ended. */
  inTheWay?: Operation;
}

async function insert(
  client: PoolClient,
  changes: OperationChanges,
  operation: NewOperation,
): Promise<Started> {
  const { collection, kind, requestId } = operation;
  const known = async (): Promise<Operation | undefined> => {
    if (requestId === undefined) return undefined;
    const found = await first(client, "o.request_id = $1", [requestId]);
    if (found && (found.kind !== kind || found.collection !== collection)) {
      throw new KindredError(
        "already-exists",
        `the request id ${JSON.stringify(requestId)} is that of ${operationTitle(found)} of the collection ` +
          `${JSON.stringify(found.collection)}: give each request an id of its own`,
      );
    }
    return found;
  };
  const earlier = await known();
  if (earlier) return { operation: earlier };
  // Whoever deletes the collection waits for this, or this for them.
  const { rowCount } = await client.query("SELECT 1 FROM collections WHERE name = $1 FOR KEY SHARE", [
    collection,
  ]);
  if (rowCount === 0) throw noCollection(collection);
  const { rows } = await client.query<OperationRow>(
    `WITH o AS (
       INSERT INTO operations (kind, collection, spec, automatic, request_id) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT DO NOTHING RETURNING *)
     SELECT ${OPERATION_COLUMNS}, ${changes.notifySql("o.id", { wanted: true })} FROM o`,
    [
      kindValue(kind),
      collection,
      toJson(operation.spec),
      operation.automatic,
      requestId === undefined ? null : keepable(requestId),
    ],
  );
  if (rows[0]) return { operation: toOperation(rows[0]) };
  // Another request was quicker: with the same id, or with another operation of this collection.
  const meanwhile = await known();
  if (meanwhile) return { operation: meanwhile };
  const inTheWay = await first(
    client,
    "o.collection = $1 AND o.finished_at IS NULL AND (o.kind = 'recall_tuning') = $2",
    [collection, kind === "recall-tuning"],
  );
  return inTheWay ? { inTheWay } : {};
}

async function first(
  client: PoolClient,
  where: string,
  values: readonly unknown[],
): Promise<Operation | undefined> {
  const { rows } = await client.query<OperationRow>(
    `SELECT ${OPERATION_COLUMNS} FROM operations o WHERE ${where}`,
    [...values],
  );
  return rows[0] && toOperation(rows[0]);
}

function noOperation(id: bigint): KindredError {
  return new KindredError("not-found", `there is no operation ${id}`);
}

function busy({ collection }: NewOperation, inTheWay: Operation | undefined): KindredError {
  return new KindredError(
    "aborted",
    inTheWay
      ? `${operationTitle(inTheWay)} of the collection ${JSON.stringify(collection)} ${operationStanding(inTheWay)}: ` +
          "wait for it, or cancel it"
      : `operations of the collection ${JSON.stringify(collection)} come and go: try again`,
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
