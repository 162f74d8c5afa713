import { randomUUID } from "node:crypto";
import type { Database } from "@kindred/postgres";
import type { Outbox } from "../../domain/outbox/outbox.ts";
import { epochMicros } from "./generation-entity.ts";

/** Noted in one statement. */
const NOTED_AT_A_TIME = 10_000;
/** What the database keeps of an error. */
const MOST_ERROR_CHARACTERS = 1000;

// The newest first: while there are many, as in the hours after an upgrade, what is recorded now is found at once all the same.
const CLAIM = `
  WITH next AS MATERIALIZED (
    SELECT generation_id FROM generation_outbox
     WHERE failed_at IS NULL AND due_at <= clock_timestamp()
     ORDER BY generation_id DESC LIMIT $2
       FOR UPDATE SKIP LOCKED)
  UPDATE generation_outbox o
     SET owner = $1, changed = FALSE, due_at = clock_timestamp() + $3 * INTERVAL '1 millisecond'
    FROM next WHERE o.generation_id = next.generation_id
  RETURNING o.generation_id`;

/** So many are 1 MiB of UTF-8 at most, which is what the vector store takes. Only SQL of somebody's own makes longer prompts. */
const MOST_CHARACTERS = 2 ** 18;

// In a statement of its own, so that it sees what was committed before the claim was.
const READ = `
  SELECT id, prompt, created_at_micros FROM (
    SELECT id, prompt, created_at_micros, octet_length(prompt) AS own, sum(octet_length(prompt)) OVER (ORDER BY at) AS bytes
      FROM (
        SELECT wanted.id, wanted.at, left(g.prompt, ${MOST_CHARACTERS}) AS prompt,
               CASE WHEN isfinite(g.created_at) THEN ${epochMicros("g.created_at")} END AS created_at_micros
          FROM unnest($1::bigint[]) WITH ORDINALITY AS wanted (id, at) LEFT JOIN generations g ON g.id = wanted.id) AS found) AS measured
   WHERE prompt IS NULL OR bytes <= $2 OR bytes = own`;

/**
 * Rows that are still this claim's and that nobody is changing right now: who waited for a transaction of somebody else's would wait as long as that
 * takes. A row that is left out is due again when its lease is over, and telling of it twice does no harm.
 */
const MINE = `
  mine AS MATERIALIZED (
    SELECT generation_id, changed FROM generation_outbox
     WHERE owner = $1 AND generation_id = ANY ($2::bigint[])
       FOR UPDATE SKIP LOCKED)`;

const DONE = `
  WITH ${MINE}, told AS (
    DELETE FROM generation_outbox o USING mine WHERE o.generation_id = mine.generation_id AND NOT mine.changed)
  UPDATE generation_outbox o SET owner = NULL, changed = FALSE, due_at = clock_timestamp()
    FROM mine WHERE o.generation_id = mine.generation_id AND mine.changed`;

const PUT_OFF = `
  WITH ${MINE}
  UPDATE generation_outbox o SET owner = NULL, due_at = clock_timestamp() + $3 * INTERVAL '1 millisecond'
    FROM mine WHERE o.generation_id = mine.generation_id`;

// What has changed since is another message, which has not failed yet.
const SET_BACK = `
  WITH ${MINE}
  UPDATE generation_outbox o
     SET owner = NULL,
         failures = CASE WHEN mine.changed THEN 0 ELSE o.failures + 1 END,
         error = CASE WHEN mine.changed THEN NULL ELSE setback.error END,
         failed_at = CASE WHEN NOT mine.changed AND o.failures + 1 >= $6 THEN clock_timestamp() END,
         due_at = clock_timestamp() + CASE WHEN mine.changed THEN 0
           ELSE LEAST($5::float8, $4 * power(2, LEAST(o.failures, 30))) END * INTERVAL '1 millisecond'
    FROM mine JOIN unnest($2::bigint[], $3::text[]) AS setback (id, error) ON setback.id = mine.generation_id
   WHERE o.generation_id = mine.generation_id
  RETURNING o.failed_at IS NOT NULL AS set_aside`;

const ENQUEUE = `
  WITH page AS MATERIALIZED (
    SELECT id FROM generations WHERE id > $1 ORDER BY id LIMIT $2), noted AS (
    INSERT INTO generation_outbox AS o (generation_id) SELECT id FROM page ORDER BY id
    ON CONFLICT (generation_id) DO UPDATE
       SET deleted = FALSE, changed = TRUE, failures = 0, error = NULL, failed_at = NULL)
  SELECT max(id) AS last FROM page`;

/** So many are counted by `state`. */
const MOST_COUNTED = 100_000;

/** So many are counted by `pendingPrompts`. Every search asks for it, also in the hours after an upgrade in which all prompts of before are waiting. */
const MOST_PENDING = 10_000;

const PENDING = `
  SELECT count(*) FROM (
    SELECT FROM generation_outbox WHERE NOT deleted ORDER BY generation_id DESC LIMIT $1) AS pending`;

// Each figure is an index's: the outbox is read by every scrape of every replica, and may hold all generations that there are.
const STATE = `
  SELECT (SELECT count(*) FROM (
            SELECT FROM generation_outbox WHERE failed_at IS NULL ORDER BY generation_id DESC LIMIT $1) AS w) AS waiting,
         (SELECT count(*) FROM (
            SELECT FROM generation_outbox WHERE failed_at IS NOT NULL ORDER BY failed_at LIMIT $1) AS f) AS set_aside,
         COALESCE(extract(epoch FROM clock_timestamp()
           - (SELECT min(enqueued_at) FROM generation_outbox WHERE failed_at IS NULL)), 0)::float8 AS oldest`;

/** The outbox over this service's schema. The database stays the caller's. */
export function promptOutbox(db: Pick<Database, "query" | "statement">): Outbox {
  return {
    async claim(limit, leaseMs) {
      const owner = randomUUID();
      const { rows } = await db.query<{ generation_id: string }>(CLAIM, [owner, limit, leaseMs]);
      if (rows.length === 0) return undefined;
      return { owner, generationIds: rows.map((row) => BigInt(row.generation_id)) };
    },

    async read(generationIds, maxBytes) {
      const { rows } = await db.query<{
        id: string;
        prompt: string | null;
        created_at_micros: string | null;
      }>(READ, [generationIds.map(String), maxBytes]);
      return {
        gone: rows.filter((row) => row.prompt === null).map((row) => BigInt(row.id)),
        prompts: rows.flatMap(({ id, prompt, created_at_micros: micros }) =>
          prompt === null
            ? []
            : [
                {
                  generationId: BigInt(id),
                  text: prompt,
                  createdAtMicros: micros === null ? undefined : BigInt(micros),
                },
              ],
        ),
      };
    },

    async done({ owner }, generationIds) {
      await db.query(DONE, [owner, generationIds.map(String)]);
    },

    async putOff({ owner }, generationIds, delayMs) {
      if (generationIds.length === 0) return;
      await db.query(PUT_OFF, [owner, generationIds.map(String), delayMs]);
    },

    async setBack({ owner }, setbacks, { firstMs, mostMs, most }) {
      const { rows } = await db.query<{ set_aside: boolean }>(SET_BACK, [
        owner,
        setbacks.map(({ generationId }) => String(generationId)),
        setbacks.map(({ error }) => keepable(error)),
        firstMs,
        mostMs,
        most ?? null,
      ]);
      return rows.filter((row) => row.set_aside).length;
    },

    async enqueueAll(signal) {
      for (let after: string | null = String(-(2n ** 63n)); after !== null && !signal.aborted;) {
        const { rows }: { rows: { last: string | null }[] } = await db.query<{ last: string | null }>(
          ENQUEUE,
          [after, NOTED_AT_A_TIME],
        );
        after = rows[0]?.last ?? null;
      }
    },

    async state(limits = {}) {
      const { rows } = await db.statement<{ waiting: string; set_aside: string; oldest: number }>(
        { text: STATE, values: [MOST_COUNTED] },
        { readOnly: true, ...limits },
      );
      const [row] = rows;
      return {
        waiting: Number(row?.waiting ?? 0),
        setAside: Number(row?.set_aside ?? 0),
        oldestSeconds: row?.oldest ?? 0,
      };
    },

    async pendingPrompts(limits) {
      const { rows } = await db.statement<{ count: string }>(
        { text: PENDING, values: [MOST_PENDING] },
        { readOnly: true, ...limits },
      );
      return BigInt(rows[0]?.count ?? 0);
    },
  };
}

function keepable(text: string): string {
  return text.replaceAll("\0", "").toWellFormed().slice(0, MOST_ERROR_CHARACTERS).toWellFormed();
}
