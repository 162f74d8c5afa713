import type { Collection } from "../collection.ts";
import { modelBuildMs, type BuildConditions } from "./build-time.ts";
import type { IndexForecast } from "./index-ports.ts";
import type { ServerFacts, TableFacts, TimedBuild } from "./index-facts.ts";
import { buildMemoryBytes, indexBytes, shapeOf } from "./index-size.ts";
import type { IndexSpec } from "./index-spec.ts";

/** What builds of one method and type take, in comparison with the model. */
export interface Calibration {
  /** Actual time by time as modelled, of builds that were timed. */
  factor: number;
  /** What it comes from, for people, e.g. "3 earlier builds". */
  source: string;
}

/** What a forecast depends on beside the index. */
export interface ForecastFacts {
  table: TableFacts;
  server: ServerFacts;
  /** Most memory that a build may take, in bytes. */
  memoryBytes: number;
  /** Cores that the database has. */
  cores: number;
}

export function forecastIndex(
  collection: Pick<Collection, "dimensions" | "elementType">,
  spec: IndexSpec,
  facts: ForecastFacts,
  calibration: Calibration | undefined,
): Omit<IndexForecast, "reasons"> {
  const shape = shapeOf(collection, facts.table.rows);
  const neededBytes = buildMemoryBytes(spec, shape);
  const memoryBytes = grantedBytes(neededBytes, facts);
  const conditions: BuildConditions = {
    processes: processesOf(spec, facts, memoryBytes),
    memoryBytes,
    neededBytes,
    online: facts.server.online,
  };
  return {
    spec,
    sizeBytes: indexBytes(spec, shape),
    buildMemoryBytes: neededBytes,
    buildMs: modelBuildMs(spec, shape, conditions) * (calibration?.factor ?? 1),
    calibrated: calibration !== undefined,
  };
}

/** What a build gets: as much as it needs and may have, and never less than the server gives anyway. */
export function grantedBytes(
  neededBytes: number,
  { server, memoryBytes }: Pick<ForecastFacts, "server" | "memoryBytes">,
): number {
  return Math.max(server.maintenanceWorkMem, Math.min(neededBytes, memoryBytes));
}

/** Each process of a parallel build has to have so much of maintenance_work_mem (plan_create_index_workers). */
const BYTES_PER_PROCESS = 32 * 2 ** 20;

/** The leader and its workers, none of them without a core. vectorscale builds alone below a size that few reach. */
function processesOf(
  spec: IndexSpec,
  { server, table, cores }: Pick<ForecastFacts, "server" | "table" | "cores">,
  memoryBytes: number,
): number {
  if (spec.method === "diskann" || table.heapBytes < server.minParallelBytes) return 1;
  const byMemory = Math.floor(memoryBytes / BYTES_PER_PROCESS);
  return Math.max(1, Math.min(1 + server.parallelWorkers, byMemory, cores));
}

/** How the machine compares with the model; undefined without any timed build that tells. */
export function calibrationOf(
  builds: readonly TimedBuild[],
  facts: Pick<ForecastFacts, "cores">,
  source: (count: number) => string,
): Calibration | undefined {
  const factors = builds
    .filter(({ rows, ms }) => rows >= LEAST_ROWS && ms > 0)
    .map((build) => build.ms / modelledMs(build, facts));
  if (factors.length === 0) return undefined;
  const sorted = factors.toSorted((a, b) => a - b);
  return { factor: sorted[Math.floor(sorted.length / 2)] as number, source: source(factors.length) };
}

/** The time of smaller ones says more about everything else that a server has to do. */
const LEAST_ROWS = 1000;

function modelledMs(
  { spec, type, rows, dimensions, workers, online }: TimedBuild,
  { cores }: Pick<ForecastFacts, "cores">,
): number {
  // What it held of the vectors is what counts, whatever they were stored as.
  const shape = { rows, dimensions, elementType: type };
  const neededBytes = buildMemoryBytes({ ...spec, quantization: "none" }, shape);
  return modelBuildMs({ ...spec, quantization: "none" }, shape, {
    processes: Math.min(1 + workers, cores),
    memoryBytes: neededBytes,
    neededBytes,
    online,
  });
}
