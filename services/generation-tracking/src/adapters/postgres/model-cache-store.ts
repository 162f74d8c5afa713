import type { Database } from "@kindred/postgres";
import type { ModelCacheEntry, ModelCacheStore } from "../../domain/model-cache.ts";
import { epochMicros } from "./generation-entity.ts";

/** A row as `pg` gives it: 64-bit integers are text. Rows that users' own SQL wrote may lack anything. */
interface ModelCacheRow {
  id: string;
  model_type: string | null;
  model_name: string | null;
  cache_path: string | null;
  size_mb: number | null;
  last_accessed_micros: string | null;
  access_count: string | null;
  created_at_micros: string;
  present: boolean | null;
  verified_at_micros: string | null;
}

const BYTES_PER_MIB = 2 ** 20;

// One statement, and so one round trip and all or nothing. ON CONFLICT may touch a row once only: events of one model are summed
// before. They are sorted, so that two batches never wait for each other's rows.
const ADD = `
  INSERT INTO model_cache AS entry (model_type, model_name, cache_path, size_mb, last_accessed, access_count)
  SELECT model_type, model_name, cache_path,
         (array_agg(size_mb ORDER BY position DESC) FILTER (WHERE size_mb IS NOT NULL))[1],
         max(COALESCE(TIMESTAMPTZ 'epoch' + micros * INTERVAL '1 microsecond', now())),
         sum(accesses)::bigint
    FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[], $5::bigint[], $6::bigint[]) WITH ORDINALITY
         AS event (model_type, model_name, cache_path, size_mb, micros, accesses, position)
   GROUP BY model_type, model_name, cache_path
   ORDER BY model_type, model_name, cache_path
  ON CONFLICT (model_type, model_name, cache_path) DO UPDATE
     SET size_mb = COALESCE(excluded.size_mb, entry.size_mb),
         last_accessed = GREATEST(entry.last_accessed, excluded.last_accessed),
         access_count = COALESCE(entry.access_count, 0) + excluded.access_count`;

const COLUMNS = `
  id, model_type, model_name, cache_path, size_mb, access_count, present,
  ${epochMicros("last_accessed")} AS last_accessed_micros,
  ${epochMicros("created_at")} AS created_at_micros,
  ${epochMicros("verified_at")} AS verified_at_micros`;

const LIST = `SELECT ${COLUMNS} FROM model_cache ORDER BY last_accessed DESC NULLS LAST, id DESC`;

// A row that was inserted has no transaction that deleted or locked it: xmax is 0.
const REGISTER = `
  INSERT INTO model_cache AS entry (model_type, model_name, cache_path, size_mb, access_count)
  VALUES ($1, $2, $3, $4::float8, 0)
  ON CONFLICT (model_type, model_name, cache_path) DO UPDATE
     SET size_mb = COALESCE(excluded.size_mb, entry.size_mb),
         present = CASE WHEN entry.present THEN true END,
         verified_at = CASE WHEN entry.present THEN entry.verified_at END
  RETURNING ${COLUMNS}, xmax <> 0 AS existing`;

const TOUCH = `
  UPDATE model_cache
     SET access_count = COALESCE(access_count, 0) + $2::bigint, last_accessed = GREATEST(last_accessed, now())
   WHERE id = $1::bigint
  RETURNING ${COLUMNS}`;

/** Rows are locked in the order in which events are added, so that no two calls wait for each other's rows. */
const LOCKED = `
  locked AS MATERIALIZED (
    SELECT id FROM model_cache WHERE id = ANY ($1::bigint[])
     ORDER BY model_type, model_name, cache_path, id FOR UPDATE)`;

const REMOVE = `WITH ${LOCKED} DELETE FROM model_cache AS entry USING locked WHERE entry.id = locked.id`;

const REPORT_PATHS = `
  WITH ${LOCKED}
  UPDATE model_cache AS entry
     SET present = finding.present, verified_at = now(), size_mb = COALESCE(finding.size_mb, entry.size_mb)
    FROM locked JOIN unnest($1::bigint[], $2::boolean[], $3::float8[]) AS finding (id, present, size_mb) USING (id)
   WHERE entry.id = locked.id`;

/** The store over this service's schema. The database stays the caller's. */
export function modelCacheStore(db: Pick<Database, "query">): ModelCacheStore {
  return {
    async add(events) {
      await db.query(ADD, [
        events.map((event) => event.modelType),
        events.map((event) => event.modelName),
        events.map((event) => event.cachePath),
        events.map(({ sizeBytes }) => mibOf(sizeBytes)),
        events.map((event) => event.lastAccessedMicros?.toString() ?? null),
        events.map((event) => event.accesses),
      ]);
    },
    async list() {
      const { rows } = await db.query<ModelCacheRow>(LIST);
      return rows.map(toEntry);
    },
    async register({ modelType, modelName, cachePath, sizeBytes }) {
      const { rows } = await db.query<ModelCacheRow & { existing: boolean }>(REGISTER, [
        modelType,
        modelName,
        cachePath,
        mibOf(sizeBytes),
      ]);
      // ON CONFLICT DO UPDATE returns a row always.
      const row = rows[0] as ModelCacheRow & { existing: boolean };
      return { entry: toEntry(row), existing: row.existing };
    },
    async touch(id, accesses) {
      const { rows } = await db.query<ModelCacheRow>(TOUCH, [String(id), accesses]);
      return rows[0] && toEntry(rows[0]);
    },
    async remove(ids) {
      return (await db.query(REMOVE, [ids.map(String)])).rowCount;
    },
    async reportPaths(findings) {
      const { rowCount } = await db.query(REPORT_PATHS, [
        findings.map(({ id }) => String(id)),
        findings.map(({ present }) => present),
        findings.map(({ sizeBytes }) => mibOf(sizeBytes)),
      ]);
      return rowCount;
    },
  };
}

function mibOf(bytes: bigint | undefined): number | null {
  return bytes === undefined ? null : Number(bytes) / BYTES_PER_MIB;
}

function toEntry(row: ModelCacheRow): ModelCacheEntry {
  return {
    id: BigInt(row.id),
    modelType: row.model_type ?? "",
    modelName: row.model_name ?? "",
    cachePath: row.cache_path ?? "",
    sizeMb: row.size_mb ?? undefined,
    lastAccessedMicros: row.last_accessed_micros === null ? undefined : BigInt(row.last_accessed_micros),
    accessCount: BigInt(row.access_count ?? 0),
    createdAtMicros: BigInt(row.created_at_micros),
    present: row.present ?? undefined,
    verifiedAtMicros: row.verified_at_micros === null ? undefined : BigInt(row.verified_at_micros),
  };
}
