import { statfs } from "node:fs/promises";
import { totalmem } from "node:os";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

export interface HostResources {
  memoryBytes: number;
  /** Free on the disk that holds the data; undefined when unknown. */
  diskFreeBytes: number | undefined;
  /** Size of /dev/shm; undefined where there is none. */
  sharedMemoryBytes: number | undefined;
}

export async function hostResources(dataDir: string): Promise<HostResources> {
  const limit = process.constrainedMemory();
  const [disk, sharedMemory] = await Promise.all(
    [dataDir, "/dev/shm"].map((path) => statfs(path).catch(() => undefined)),
  );
  return {
    memoryBytes: limit > 0 ? Math.min(limit, totalmem()) : totalmem(),
    diskFreeBytes: disk && disk.bavail * disk.bsize,
    sharedMemoryBytes: sharedMemory && sharedMemory.bavail * sharedMemory.bsize,
  };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

const inMib = (bytes: number): string => `${Math.floor(bytes / MIB)}MB`;

/**
 * postgresql.conf settings for a database that shares its machine with the services and a model: a quarter of the
 * memory for the cache (the usual advice for a machine of its own is that too, up to 2 GiB here), room to build an
 * HNSW graph in memory, and dynamic shared memory that does not depend on a container's 64 MiB /dev/shm.
 */
export function serverSettings(host: HostResources): Record<string, string> {
  const maintenance = clamp(host.memoryBytes / 16, 64 * MIB, GIB);
  const settings: Record<string, string> = {
    max_connections: "200",
    shared_buffers: inMib(clamp(host.memoryBytes / 4, 128 * MIB, 2 * GIB)),
    effective_cache_size: inMib(host.memoryBytes / 2),
    maintenance_work_mem: inMib(maintenance),
    max_parallel_maintenance_workers: "2",
    // WAL may take this much disk between checkpoints; bulk loads write a lot of it.
    max_wal_size: inMib(clamp((host.diskFreeBytes ?? 10 * GIB) / 10, 256 * MIB, 4 * GIB)),
    checkpoint_completion_target: "0.9",
    // What the disk of a developer's machine and of a cloud host is today; the default is a spinning disk's.
    random_page_cost: "1.1",
    log_checkpoints: "off",
    timezone: "UTC",
  };
  // A parallel HNSW build keeps the graph, up to maintenance_work_mem, in dynamic shared memory (pgvector#453).
  if (host.sharedMemoryBytes !== undefined && host.sharedMemoryBytes < 2 * maintenance) {
    settings["dynamic_shared_memory_type"] = "sysv";
  }
  return settings;
}

/** Lines for postgresql.conf. */
export function configurationFile(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`)
    .join("");
}
