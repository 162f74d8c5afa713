import type { Database } from "@kindred/postgres";
import type { Completion, Ending, Failure, GenerationLives } from "../../domain/generation-lives.ts";
import type { GenerationStore } from "../../domain/generation-store.ts";
import { epochMicros } from "./generation-entity.ts";
import { writeOutputs } from "./generation-outputs.ts";
import { lockGenerations } from "./lock-generations.ts";

// clock_timestamp(), and not now(): a statement that waited for a row's lock judges by what the clock says when it has it.
const RUNS = "status = 'running' AND lease_expires_at > clock_timestamp()";
const LEASE_IS_OVER = "status = 'running' AND lease_expires_at <= clock_timestamp()";
const ENDS = "finished_at = clock_timestamp(), lease_expires_at = NULL";
const TIME_SINCE_START = `
  LEAST(GREATEST(round(extract(epoch FROM clock_timestamp() - created_at) * 1000), 0), 2147483647)::integer`;

const REPORT = `
  UPDATE generations
     SET lease_expires_at = clock_timestamp() + lease_ms * INTERVAL '1 millisecond',
         progress_done = CASE WHEN $2 THEN $3::integer ELSE progress_done END,
         progress_total = CASE WHEN $2 THEN $4::integer ELSE progress_total END,
         progress_message = CASE WHEN $2 THEN $5::varchar ELSE progress_message END,
         progress_at = CASE WHEN $2 THEN clock_timestamp() ELSE progress_at END
   WHERE id = $1 AND ${RUNS}
  RETURNING ${epochMicros("lease_expires_at")} AS micros`;

const COMPLETE = `
  UPDATE generations
     SET status = 'completed', ${ENDS}, output_path = $2, generation_time_ms = COALESCE($3, ${TIME_SINCE_START}),
         memory_usage_mb = $4, seed = COALESCE($5, seed),
         model_config = CASE WHEN $6::jsonb IS NULL THEN model_config
           WHEN jsonb_typeof(model_config) = 'object' THEN model_config || $6 ELSE $6 END
   WHERE id = $1 AND ${RUNS} AND ($5::bigint IS NULL OR seed IS NULL OR seed = $5)`;

const FAIL = `
  UPDATE generations
     SET status = 'failed', ${ENDS}, error_message = $2, generation_time_ms = COALESCE($3, ${TIME_SINCE_START}),
         memory_usage_mb = $4
   WHERE id = $1 AND ${RUNS}`;

const CANCEL = `UPDATE generations SET status = 'cancelled', ${ENDS} WHERE id = $1 AND ${RUNS}`;

/** It ended when its lease did, whenever that is seen. */
const ABANDON = `
  SET status = 'failed', finished_at = lease_expires_at, lease_expires_at = NULL,
      error_message = 'abandoned: for ' || (lease_ms / 1000.0)::float8 || ' s nobody said that it was alive'`;

const ABANDON_ONE = `UPDATE generations ${ABANDON} WHERE id = $1 AND ${LEASE_IS_OVER}`;

// What is locked is being reported on or ended; a replica that sweeps at the same time has it, too.
const ABANDON_ALL = `
  WITH abandoned AS MATERIALIZED (
    SELECT id FROM generations WHERE ${LEASE_IS_OVER} LIMIT $1 FOR UPDATE SKIP LOCKED)
  UPDATE generations ${ABANDON} FROM abandoned WHERE generations.id = abandoned.id
  RETURNING generations.id`;

const UPDATE = `
  UPDATE generations
     SET labels = COALESCE($2::text[], labels),
         rating = CASE WHEN $3 THEN $4::smallint ELSE rating END,
         session_id = CASE WHEN $5::text IS NULL THEN session_id ELSE NULLIF($5, '') END
   WHERE id = $1`;

/** Lives over this service's schema. The database stays the caller's. */
export function generationLives(deps: {
  db: Pick<Database, "query" | "transaction">;
  store: Pick<GenerationStore, "find">;
  /** Told how many were marked as failed because their leases were over. */
  onAbandoned?: (count: number) => void;
}): GenerationLives {
  const { db, store, onAbandoned = () => {} } = deps;
  return {
    async report(id, progress) {
      const { rows } = await db.query<{ micros: string }>(REPORT, [
        String(id),
        progress !== undefined,
        progress?.done ?? null,
        progress?.total ?? null,
        progress?.message ?? null,
      ]);
      return rows[0] && BigInt(rows[0].micros);
    },

    end: (id, ending) => end(db, id, ending),

    async failAbandoned(id) {
      const { rowCount } = await db.query(ABANDON_ONE, [String(id)]);
      onAbandoned(rowCount);
      return rowCount === 1;
    },

    async failAllAbandoned(limit) {
      const { rows } = await db.query<{ id: string }>(ABANDON_ALL, [limit]);
      onAbandoned(rows.length);
      return rows.map((row) => BigInt(row.id));
    },

    async update(id, changes) {
      await db.query(UPDATE, [
        String(id),
        changes.labels ?? null,
        "rating" in changes,
        changes.rating ?? null,
        changes.sessionId ?? null,
      ]);
      return await store.find(id);
    },

    delete: (ids) =>
      db.transaction(async (client) => {
        const texts = ids.map(String);
        await lockGenerations(client, texts);
        const { rowCount } = await client.query("DELETE FROM generations WHERE id = ANY ($1::bigint[])", [
          texts,
        ]);
        return rowCount ?? 0;
      }),
  };
}

async function end(
  db: Pick<Database, "query" | "transaction">,
  id: bigint,
  ending: Ending,
): Promise<boolean> {
  switch (ending.status) {
    case "completed":
      return await complete(db, String(id), ending);
    case "failed":
      return (await db.query(FAIL, [String(id), ...failureValues(ending)])).rowCount === 1;
    case "cancelled":
      return (await db.query(CANCEL, [String(id)])).rowCount === 1;
  }
}

function failureValues({ errorMessage, generationTimeMs, memoryUsageMb }: Failure): unknown[] {
  return [errorMessage, generationTimeMs ?? null, memoryUsageMb ?? null];
}

async function complete(db: Pick<Database, "transaction">, id: string, result: Completion): Promise<boolean> {
  return await db.transaction(async (client) => {
    const { rowCount } = await client.query(COMPLETE, [
      id,
      result.outputPath || null,
      result.generationTimeMs ?? null,
      result.memoryUsageMb ?? null,
      result.seed?.toString() ?? null,
      result.modelConfig === undefined ? null : JSON.stringify(result.modelConfig),
    ]);
    if (rowCount === 0) return false;
    await writeOutputs(client, id, result);
    return true;
  });
}
