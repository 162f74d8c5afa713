import { statfs } from "node:fs/promises";
import type { Database } from "@kindred/postgres";
import type { PoolClient } from "pg";
import type { Collection } from "../../../domain/collection.ts";
import type { IndexForecast, PreflightCheck } from "../../../domain/indexes/index-ports.ts";
import {
  indexedType,
  MAX_DISKANN_DIMENSIONS,
  MAX_INDEXED_DIMENSIONS,
} from "../../../domain/indexes/index-spec.ts";
import type { CallLimits } from "../../../domain/ports.ts";
import { grantedMemory, type BuildDeps } from "./create-concurrently.ts";
import { operatorClassOf, operatorClassSchema } from "./index-ddl.ts";
import { isKindredError } from "@kindred/errors";
import { leftoversOf } from "./leftovers.ts";

/** Where PostgreSQL's posix shared memory is on Linux. */
const SHARED_MEMORY = "/dev/shm";
/** A transaction that has run so long will most likely go on for a while. */
const LONG_TRANSACTION_SECONDS = 10;
/** An index, and what is logged of it and sorted for it. */
const DISK_SHARE = 2;

interface ServerFacts {
  memory: number;
  workers: number;
  shared_memory_type: string;
  /** Null where this role may not know. */
  data_directory: string | null;
  /** Whether server and service are on one machine, and so see the same files. */
  local: boolean;
  concurrent_writers: number;
  longest_seconds: number;
  longest_pid: number | null;
  longest_name: string | null;
  prepared: number;
}

interface Facts {
  deps: BuildDeps;
  collection: Collection;
  forecast: IndexForecast;
  server: ServerFacts;
}

export async function preflight(
  deps: BuildDeps,
  collection: Collection,
  forecast: IndexForecast,
  limits: CallLimits,
): Promise<PreflightCheck[]> {
  const { server, extension, leftovers } = await deps.db.transaction(
    async (client) => ({
      server: await serverFacts(client),
      extension: await checkExtension(client, deps.db, collection, forecast),
      leftovers: await checkLeftovers(client, collection),
    }),
    { ...limits, readOnly: true },
  );
  const facts: Facts = { deps, collection, forecast, server };
  return [
    extension,
    checkDimensions(facts),
    checkMemory(facts),
    await checkSharedMemory(facts),
    await checkDisk(facts),
    checkWriters(facts),
    leftovers,
  ];
}

async function serverFacts(client: PoolClient): Promise<ServerFacts> {
  const { rows } = await client.query<ServerFacts>(
    `SELECT pg_size_bytes(current_setting('maintenance_work_mem'))::float8 AS memory,
            current_setting('max_parallel_maintenance_workers')::int AS workers,
            current_setting('dynamic_shared_memory_type') AS shared_memory_type,
            (SELECT setting FROM pg_settings WHERE name = 'data_directory') AS data_directory,
            coalesce(inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1', true) AS local,
            count(a.pid)::int AS concurrent_writers,
            coalesce(extract(epoch FROM max(now() - a.xact_start)), 0)::float8 AS longest_seconds,
            (array_agg(a.pid ORDER BY a.xact_start))[1] AS longest_pid,
            (array_agg(a.application_name ORDER BY a.xact_start))[1] AS longest_name,
            (SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database())::int AS prepared
       FROM (SELECT 1) one
       LEFT JOIN pg_stat_activity a
         ON a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
        AND a.backend_type = 'client backend'
        AND now() - a.xact_start > make_interval(secs => ${LONG_TRANSACTION_SECONDS})`,
  );
  return rows[0] as ServerFacts;
}

async function checkExtension(
  client: PoolClient,
  db: Database,
  collection: Collection,
  { spec }: IndexForecast,
): Promise<PreflightCheck> {
  const name = "extension";
  const { vector } = db.capabilities;
  if (!vector) return { name, outcome: "failed", message: "pgvector is not installed in this database" };
  try {
    await operatorClassSchema(client, spec.method, operatorClassOf(spec, collection));
  } catch (error) {
    if (!isKindredError(error)) throw error;
    return { name, outcome: "failed", message: error.message };
  }
  if (spec.method !== "diskann")
    return { name, outcome: "passed", message: `pgvector ${vector.version} has what the index needs` };
  const { rows } = await client.query<{ version: string }>(
    "SELECT extversion AS version FROM pg_extension WHERE extname = 'vectorscale'",
  );
  return { name, outcome: "passed", message: `vectorscale ${rows[0]?.version} has what the index needs` };
}

function checkDimensions({ collection, forecast: { spec } }: Facts): PreflightCheck {
  const type = indexedType(collection, spec.quantization);
  const most = spec.method === "diskann" ? MAX_DISKANN_DIMENSIONS : MAX_INDEXED_DIMENSIONS[type];
  const { dimensions } = collection;
  return dimensions <= most
    ? { name: "dimensions", outcome: "passed", message: `${dimensions} of at most ${most}` }
    : {
        name: "dimensions",
        outcome: "failed",
        message: `${spec.method} holds at most ${most} dimensions of ${type}, the collection has ${dimensions}: quantise them`,
      };
}

function checkMemory({ deps, forecast, server }: Facts): PreflightCheck {
  const name = "maintenance_work_mem";
  const needed = forecast.buildMemoryBytes;
  const granted = grantedMemory(server.memory, needed, deps.memoryBytes);
  if (granted >= needed) {
    return { name, outcome: "passed", message: `the build needs ${mib(needed)} and gets ${mib(granted)}` };
  }
  const short = `the build needs ${mib(needed)} and gets ${mib(granted)}: raise INDEX_BUILD_MEMORY`;
  // pgvector's k-means wants all of its samples in memory, and says so by an error (ivfutils.c).
  return forecast.spec.method === "ivfflat"
    ? { name, outcome: "failed", message: short }
    : { name, outcome: "warning", message: `${short}; with less it takes many times as long` };
}

/** A parallel build of an HNSW graph keeps all of it there: with too little, one process builds. */
async function checkSharedMemory({ deps, forecast, server }: Facts): Promise<PreflightCheck> {
  const name = "shared_memory";
  if (forecast.spec.method !== "hnsw" || server.workers === 0)
    return { name, outcome: "passed", message: "the build takes none to speak of" };
  if (server.shared_memory_type !== "posix")
    return {
      name,
      outcome: "passed",
      message: `${server.shared_memory_type} is not limited by ${SHARED_MEMORY}`,
    };
  const free = server.local ? await freeBytes(SHARED_MEMORY) : undefined;
  if (free === undefined)
    return { name, outcome: "unknown", message: `the server's ${SHARED_MEMORY} cannot be seen from here` };
  const needed = grantedMemory(server.memory, forecast.buildMemoryBytes, deps.memoryBytes);
  return free >= needed
    ? { name, outcome: "passed", message: `${mib(free)} are free in ${SHARED_MEMORY}` }
    : {
        name,
        outcome: "warning",
        message: `a build by several processes needs ${mib(needed)} in ${SHARED_MEMORY}, where ${mib(free)} are free: one process will build`,
      };
}

async function checkDisk({ forecast, server }: Facts): Promise<PreflightCheck> {
  const name = "disk";
  const free =
    server.local && server.data_directory !== null ? await freeBytes(server.data_directory) : undefined;
  if (free === undefined)
    return { name, outcome: "unknown", message: "the disk of the server cannot be seen from here" };
  const needed = forecast.sizeBytes;
  const message = `the index needs ${mib(needed)}, and as much again while it is built; ${mib(free)} are free`;
  if (free < needed) return { name, outcome: "failed", message };
  return { name, outcome: free < DISK_SHARE * needed ? "warning" : "passed", message };
}

function checkWriters({ deps, server }: Facts): PreflightCheck {
  const name = "writers";
  if (!deps.db.capabilities.createIndexConcurrently) {
    return {
      name,
      outcome: "warning",
      message: "this server has one session for everybody: all wait until the index is built",
    };
  }
  if (server.prepared > 0) {
    return {
      name,
      outcome: "warning",
      message: `${server.prepared} prepared transactions keep the build waiting until they are committed or rolled back (pg_prepared_xacts)`,
    };
  }
  if (server.concurrent_writers === 0)
    return { name, outcome: "passed", message: "others read and write during the build" };
  const who = `backend ${server.longest_pid} (${server.longest_name || "unnamed"})`;
  return {
    name,
    outcome: "warning",
    message:
      `the build waits for transactions that are open: ${server.concurrent_writers} for more than ${LONG_TRANSACTION_SECONDS} s, ` +
      `the longest for ${Math.round(server.longest_seconds)} s in ${who}`,
  };
}

async function checkLeftovers(client: PoolClient, collection: Collection): Promise<PreflightCheck> {
  const names = (await leftoversOf(client, collection)).map((leftover) => leftover.name);
  return names.length === 0
    ? { name: "leftovers", outcome: "passed", message: "no build has left anything behind" }
    : {
        name: "leftovers",
        outcome: "warning",
        message: `an interrupted build has left ${names.join(", ")}, which cost every write until they are removed`,
      };
}

/** Undefined where there is no such folder, or not for us. */
async function freeBytes(path: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

const mib = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20).toLocaleString("en")} MiB`;
