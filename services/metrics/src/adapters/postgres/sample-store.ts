import type { Database } from "@kindred/postgres";
import type { NewSample, Sample, SampleStore } from "../../domain/sample.ts";

/** A row as `pg` gives it: 64-bit integers are text. */
interface SampleRow {
  component: string | null;
  timestamp_micros: string;
  cpu_usage: number | null;
  memory_usage_mb: number | null;
  disk_usage_mb: number | null;
  gpu_memory_mb: number | null;
  active_connections: number | null;
}

// One array a column, whatever the number of samples: one statement text, and one round trip. A reporter whose call
// broke off sends its samples again; what is there already in every value is that sample.
const INSERT = `
  INSERT INTO system_metrics
         (component, timestamp, cpu_usage, memory_usage_mb, disk_usage_mb, gpu_memory_mb, active_connections)
  SELECT component, COALESCE(at, now()), cpu, memory, disk, gpu, connections
    FROM (SELECT *, TIMESTAMPTZ 'epoch' + micros * INTERVAL '1 microsecond' AS at
            FROM unnest($1::text[], $2::bigint[], $3::float8[], $4::float8[], $5::float8[], $6::float8[], $7::int[])
                 AS u (component, micros, cpu, memory, disk, gpu, connections)) AS s
   WHERE NOT EXISTS (
         SELECT FROM system_metrics m
          WHERE m.component = s.component
            AND m.timestamp = s.at
            AND (m.cpu_usage, m.memory_usage_mb, m.disk_usage_mb, m.gpu_memory_mb, m.active_connections)
                IS NOT DISTINCT FROM (s.cpu, s.memory, s.disk, s.gpu, s.connections))`;

const newestSql = (condition: string): string => `
  SELECT component, (extract(epoch FROM timestamp) * 1000000)::bigint AS timestamp_micros,
         cpu_usage, memory_usage_mb, disk_usage_mb, gpu_memory_mb, active_connections
    FROM system_metrics
   WHERE timestamp >= now() - make_interval(secs => $1) ${condition}
   ORDER BY timestamp DESC, id DESC
   LIMIT $2`;
const NEWEST = newestSql("");
const NEWEST_OF_COMPONENT = newestSql("AND component = $3");

// Rows that another replica is deleting at this moment are left to it.
const DELETE_OLD = `
  DELETE FROM system_metrics
   WHERE id = ANY (ARRAY (
         SELECT id FROM system_metrics
          WHERE timestamp < now() - make_interval(secs => $1)
          ORDER BY timestamp
          LIMIT $2
            FOR UPDATE SKIP LOCKED))`;

/** The store over this service's schema. The database stays the caller's. */
export function sampleStore(db: Pick<Database, "query">): SampleStore {
  return {
    async insert(samples) {
      const column = <K extends keyof NewSample>(key: K) => samples.map((sample) => sample[key] ?? null);
      await db.query(INSERT, [
        column("component"),
        samples.map((sample) => sample.timestampMicros?.toString() ?? null),
        column("cpuUsage"),
        column("memoryUsageMb"),
        column("diskUsageMb"),
        column("gpuMemoryMb"),
        column("activeConnections"),
      ]);
    },
    async newest({ hours, component, limit }) {
      const seconds = hours * 3600;
      const { rows } =
        component === undefined
          ? await db.query<SampleRow>(NEWEST, [seconds, limit])
          : await db.query<SampleRow>(NEWEST_OF_COMPONENT, [seconds, limit, component]);
      return rows.map(toSample);
    },
    async deleteOlderThan(ageMs, limit) {
      const { rowCount } = await db.query(DELETE_OLD, [ageMs / 1000, limit]);
      return rowCount;
    },
  };
}

function toSample(row: SampleRow): Sample {
  return {
    component: row.component ?? "",
    timestampMicros: BigInt(row.timestamp_micros),
    cpuUsage: row.cpu_usage ?? undefined,
    memoryUsageMb: row.memory_usage_mb ?? undefined,
    diskUsageMb: row.disk_usage_mb ?? undefined,
    gpuMemoryMb: row.gpu_memory_mb ?? undefined,
    activeConnections: row.active_connections ?? undefined,
  };
}
