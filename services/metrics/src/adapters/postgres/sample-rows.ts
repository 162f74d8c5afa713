import { hash } from "node:crypto";
import {
  ALL_QUANTITIES,
  QUANTITIES,
  type Gpu,
  type MetricSource,
  type NewSample,
  type StoredSample,
} from "../../domain/sample.ts";

/** Columns of system_metrics that hold what was reported, without the time, by the name of the sample's member; with their types. */
const VALUE_COLUMNS = [
  ["component", "component", "text"],
  ["instance", "instance", "text"],
  ...ALL_QUANTITIES.map(
    (name) => [name, QUANTITIES[name], name === "activeConnections" ? "int" : "float8"] as const,
  ),
  ["cpuLimit", "cpu_limit", "float8"],
  ["memoryLimitMb", "memory_limit_mb", "float8"],
  ["diskTotalMb", "disk_total_mb", "float8"],
  ["cpuSource", "cpu_source", "text"],
  ["memorySource", "memory_source", "text"],
] as const;

/** A row as `pg` gives it: 64-bit integers are text. */
export interface SampleRow extends Record<(typeof QUANTITIES)[keyof typeof QUANTITIES], number | null> {
  id: string;
  component: string | null;
  instance: string;
  timestamp_micros: string;
  cpu_source: MetricSource | null;
  memory_source: MetricSource | null;
  cpu_limit: number | null;
  memory_limit_mb: number | null;
  disk_total_mb: number | null;
  gpus: GpuJson[] | null;
  gpu_problem: string | null;
}

/** A GPU in the column gpus. */
interface GpuJson {
  index: number;
  name: string;
  memory_used_mb?: number | undefined;
  memory_total_mb?: number | undefined;
  utilization?: number | undefined;
  temperature?: number | undefined;
  power?: number | undefined;
}

/** What a SELECT from system_metrics lists for a SampleRow. */
export const SAMPLE_COLUMNS = `id, ${VALUE_COLUMNS.map(([, column]) => column).join(", ")}, gpus, gpu_problem,
  (extract(epoch FROM timestamp) * 1000000)::bigint AS timestamp_micros`;

const INSERTED = [...VALUE_COLUMNS.map(([, column]) => column), "gpus", "gpu_problem", "digest"];
const TYPES = ["bigint", ...VALUE_COLUMNS.map(([, , type]) => type), "jsonb", "text", "bigint"];

/**
 * One array a column, whatever the number of samples: one statement text, and one round trip. A reporter whose call broke off sends
 * its samples again; what is there already in every value is that sample, and the unique index over time and digest says so.
 */
export const INSERT_SAMPLES = `
  INSERT INTO system_metrics (timestamp, ${INSERTED.join(", ")})
  SELECT COALESCE(TIMESTAMPTZ 'epoch' + micros * INTERVAL '1 microsecond', now()), ${INSERTED.join(", ")}
    FROM unnest(${TYPES.map((type, i) => `$${i + 1}::${type}[]`).join(", ")}) AS u (micros, ${INSERTED.join(", ")})
  ON CONFLICT (timestamp, digest) DO NOTHING`;

/** The parameters of INSERT_SAMPLES. */
export function insertParameters(samples: readonly NewSample[]): unknown[] {
  const gpus = samples.map((sample) =>
    sample.gpus.length === 0 ? null : JSON.stringify(sample.gpus.map(toGpuJson)),
  );
  return [
    samples.map((sample) => sample.timestampMicros?.toString() ?? null),
    ...VALUE_COLUMNS.map(([name]) => samples.map((sample) => sample[name] ?? null)),
    gpus,
    samples.map((sample) => sample.gpuProblem || null),
    samples.map((sample, i) => (sample.timestampMicros === undefined ? null : digestOf(sample, gpus[i]))),
  ];
}

/** 64 bits of SHA-1 over every value but the time, as PostgreSQL's BIGINT. */
function digestOf(sample: NewSample, gpus: string | null | undefined): string {
  const values = [...VALUE_COLUMNS.map(([name]) => sample[name] ?? null), gpus, sample.gpuProblem];
  return hash("sha1", JSON.stringify(values), "buffer").readBigInt64LE(0).toString();
}

export function toSample(row: SampleRow): StoredSample {
  return {
    id: BigInt(row.id),
    component: row.component ?? "",
    instance: row.instance,
    timestampMicros: BigInt(row.timestamp_micros),
    cpuUsage: row.cpu_usage ?? undefined,
    memoryUsageMb: row.memory_usage_mb ?? undefined,
    diskUsageMb: row.disk_usage_mb ?? undefined,
    gpuMemoryMb: row.gpu_memory_mb ?? undefined,
    activeConnections: row.active_connections ?? undefined,
    eventLoopLagMs: row.event_loop_lag_ms ?? undefined,
    cpuSource: row.cpu_source ?? undefined,
    memorySource: row.memory_source ?? undefined,
    cpuLimit: row.cpu_limit ?? undefined,
    memoryLimitMb: row.memory_limit_mb ?? undefined,
    diskTotalMb: row.disk_total_mb ?? undefined,
    gpus: (row.gpus ?? []).map(toGpu),
    gpuProblem: row.gpu_problem ?? "",
  };
}

function toGpuJson({ memoryUsedMb, memoryTotalMb, ...rest }: Gpu): GpuJson {
  return { ...rest, memory_used_mb: memoryUsedMb, memory_total_mb: memoryTotalMb };
}

function toGpu(json: GpuJson): Gpu {
  return {
    index: json.index,
    name: json.name,
    memoryUsedMb: json.memory_used_mb,
    memoryTotalMb: json.memory_total_mb,
    utilization: json.utilization,
    temperature: json.temperature,
    power: json.power,
  };
}
