import { KindredError } from "@kindred/errors";
import { compareVersions, sqlStateOf, type Database } from "@kindred/postgres";
import { escapeIdentifier, type PoolClient } from "pg";
import type { Collection } from "../../domain/collection.ts";
import type { IndexFacts, TableFacts, TimedBuild } from "../../domain/indexes/index-facts.ts";
import { specFromJson } from "../../domain/indexes/build-spec.ts";
import { indexedType, type IndexSpec } from "../../domain/indexes/index-spec.ts";
import type { ElementType } from "../../domain/collection.ts";
import type { JsonObject } from "../../domain/image.ts";
import {
  createIndexSql,
  indexContent,
  operatorClassOf,
  operatorClassSchema,
} from "./index-building/index-ddl.ts";
import { bytesPerVector, estimateRows } from "./row-estimate.ts";
import { tableSql } from "./sql.ts";

/** Speeds change with the machine: older builds say less. */
const EARLIER_BUILDS = 5;
/** Sampling gives a few more or less than what is asked for. */
const OVERSAMPLING = 1.5;
/** From fewer rows nothing can be told. */
const LEAST_SAMPLE = 1000;
const INSUFFICIENT_PRIVILEGE = "42501";

/** What the database knows of tables, of itself, and of earlier builds. */
export function indexFacts(db: Database): IndexFacts {
  return {
    table: (collection, limits) =>
      db.transaction(
        async (client) => ({
          rows: await estimateRows(client, collection.layout.vectors, bytesPerVector(collection)),
          ...(await tableActivity(client, collection)),
        }),
        { readOnly: true, ...limits },
      ),
    server: async (limits) => {
      const { rows } = await db.transaction((client) => client.query<SettingsRow>(SETTINGS), {
        readOnly: true,
        ...limits,
      });
      const settings = rows[0] as SettingsRow;
      return {
        vectorVersion: db.capabilities.vector?.version,
        soundVectorVersion: soundVersion(db),
        vectorscale: db.capabilities.extensions.has("vectorscale"),
        maintenanceWorkMem: Number(settings.maintenance_work_mem),
        parallelWorkers: settings.workers,
        minParallelBytes: Number(settings.min_parallel_bytes),
        online: db.capabilities.createIndexConcurrently,
      };
    },
    earlierBuilds: (collection, { method, type }, limits) =>
      db.transaction(
        async (client) => {
          const { rows } = await client.query<BuildRow>(EARLIER, [
            method,
            type,
            collection.name,
            EARLIER_BUILDS,
          ]);
          return rows.map((row) => timedBuild(row, db.capabilities.createIndexConcurrently));
        },
        { readOnly: true, ...limits },
      ),
    sampleBuild: async (collection, spec, rows, limits) => {
      try {
        return await db.transaction((client) => buildSample(client, db, collection, spec, rows), {
          settings: { max_parallel_maintenance_workers: 0 },
          ...limits,
        });
      } catch (error) {
        // Not everybody may make temporary tables.
        if (sqlStateOf(error) === INSUFFICIENT_PRIVILEGE) return undefined;
        throw error;
      }
    },
  };
}

interface SettingsRow {
  maintenance_work_mem: string;
  min_parallel_bytes: string;
  workers: number;
}

const SETTINGS = `
  SELECT pg_size_bytes(current_setting('maintenance_work_mem')) AS maintenance_work_mem,
         pg_size_bytes(current_setting('min_parallel_table_scan_size')) AS min_parallel_bytes,
         least(current_setting('max_parallel_maintenance_workers')::int, current_setting('max_parallel_workers')::int,
               current_setting('max_worker_processes')::int) AS workers`;

interface ActivityRow {
  bytes: string;
  live: string;
  dead: string;
  changes: string;
  analyzed: boolean;
}

/** Of a table and, where it is partitioned, of all its partitions. */
const ACTIVITY = `
  SELECT coalesce(sum(pg_relation_size(p.oid)), 0) AS bytes,
         coalesce(sum(s.n_live_tup), 0) AS live,
         coalesce(sum(s.n_dead_tup), 0) AS dead,
         coalesce(sum(s.n_tup_ins + s.n_tup_upd + s.n_tup_del), 0) AS changes,
         coalesce(bool_or(s.last_analyze IS NOT NULL OR s.last_autoanalyze IS NOT NULL), false) AS analyzed
    FROM (SELECT to_regclass($1)::oid UNION SELECT relid::oid FROM pg_partition_tree(to_regclass($1))) AS p (oid)
    LEFT JOIN pg_stat_all_tables s ON s.relid = p.oid`;

async function tableActivity(client: PoolClient, { layout }: Collection): Promise<Omit<TableFacts, "rows">> {
  const { rows } = await client.query<ActivityRow>(ACTIVITY, [tableSql(layout.vectors)]);
  const { bytes, live, dead, changes, analyzed } = rows[0] as ActivityRow;
  return {
    heapBytes: Number(bytes),
    liveTuples: Number(live),
    deadTuples: Number(dead),
    changes: Number(changes),
    analyzed,
  };
}

/** pgvector's changelog, 0.8.3 and 0.8.4. Where data does not outlive the process, the fault is nobody's. */
const SOUND_PGVECTOR = "0.8.4";

function soundVersion({ capabilities }: Database): string | undefined {
  const { vector, concurrentSessions } = capabilities;
  const faulty = vector && concurrentSessions && compareVersions(vector.version, SOUND_PGVECTOR) < 0;
  return faulty ? SOUND_PGVECTOR : undefined;
}

interface BuildRow {
  spec: JsonObject;
  element_type: ElementType;
  rows: string;
  dimensions: number;
  workers: number;
  build_ms: number;
}

/** What an index compares follows from what it holds and from the type of its collection's vectors. */
const EARLIER = `
  SELECT b.spec, c.element_type, b.rows, b.dimensions, b.workers, b.build_ms
    FROM index_builds b JOIN collections c ON c.name = b.collection
   WHERE b.spec ->> 'method' = $1 AND b.build_ms > 0
     AND CASE b.spec ->> 'quantization' WHEN 'halfvec' THEN 'halfvec' WHEN 'binary' THEN 'bit' ELSE c.element_type END = $2
   ORDER BY b.collection = $3 DESC, b.id DESC
   LIMIT $4`;

function timedBuild(row: BuildRow, online: boolean): TimedBuild {
  const spec = specFromJson(row.spec);
  return {
    spec,
    type: indexedType({ elementType: row.element_type }, spec.quantization),
    rows: Number(row.rows),
    dimensions: row.dimensions,
    workers: row.workers,
    online,
    ms: row.build_ms,
  };
}

const SAMPLE = { schema: "pg_temp", name: "kindred_index_sample" };

async function buildSample(
  client: PoolClient,
  db: Database,
  collection: Collection,
  spec: IndexSpec,
  wanted: number,
): Promise<TimedBuild | undefined> {
  const { vector } = db.capabilities;
  if (!vector)
    throw new KindredError("failed-precondition", "there are no vector indexes without pgvector: install it");
  const { layout, dimensions } = collection;
  const estimated = await estimateRows(client, layout.vectors, bytesPerVector(collection));
  const percent = Math.min(100, (100 * OVERSAMPLING * wanted) / Math.max(1, estimated));
  const column = escapeIdentifier(layout.vector.column);
  // Blocks and not rows are sampled: reading some of a large table, and not all of it.
  const { rowCount } = await client.query(
    `CREATE TEMPORARY TABLE kindred_index_sample ON COMMIT DROP AS
     SELECT ${column} FROM ${tableSql(layout.vectors)} TABLESAMPLE SYSTEM (${percent}) WHERE ${column} IS NOT NULL LIMIT ${wanted}`,
  );
  const rows = rowCount ?? 0;
  if (rows < LEAST_SAMPLE) return undefined;
  const operatorClass = await operatorClassSchema(client, spec.method, operatorClassOf(spec, collection));
  const content = indexContent(collection, spec, { vector: vector.schema, operatorClass });
  const started = performance.now();
  await client.query(createIndexSql("kindred_index_sample_idx", SAMPLE, content));
  const ms = performance.now() - started;
  return {
    spec,
    type: indexedType(collection, spec.quantization),
    rows,
    dimensions,
    workers: 0,
    online: false,
    ms,
  };
}
