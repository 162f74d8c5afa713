import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { MetricSample, ReportMetricsRequest } from "@kindred/contracts/metrics/v1";
import { startChecks, type FieldChecks } from "@kindred/rpc";
import type { NewSample, SampleStore } from "../domain/sample.ts";
import { isValidTimestamp, microsOf } from "./timestamps.ts";

/** The width of the column, in code points. */
export const MAX_COMPONENT_CHARACTERS = 50;
const MAX_SAMPLES = 1000;
/** Clocks differ; a sample from further ahead would stand at the end of every history until its time has come. */
const MAX_AHEAD_MS = 24 * 3_600_000;

export function reportMetricsRpc(deps: { store: SampleStore }) {
  return async ({ samples }: Pick<ReportMetricsRequest, "samples">) => {
    const checks = startChecks();
    if (samples.length < 1 || samples.length > MAX_SAMPLES) {
      checks.add("samples", `must be 1 to ${MAX_SAMPLES}, are ${samples.length}`);
      checks.throwIfAny();
    }
    const read = samples.map((sample, i) => readSample(sample, `samples[${i}]`, checks));
    checks.throwIfAny();
    await deps.store.insert(read);
    return {};
  };
}

function readSample(message: MetricSample, path: string, checks: FieldChecks): NewSample {
  const { component } = message;
  checks.text(`${path}.component`, component, { required: true, maxCharacters: MAX_COMPONENT_CHARACTERS });
  checks.notNegative(`${path}.cpu_usage`, message.cpuUsage);
  checks.notNegative(`${path}.memory_usage_mb`, message.memoryUsageMb);
  checks.notNegative(`${path}.disk_usage_mb`, message.diskUsageMb);
  checks.notNegative(`${path}.gpu_memory_mb`, message.gpuMemoryMb);
  checks.notNegative(`${path}.active_connections`, message.activeConnections);
  return {
    component,
    timestampMicros: message.timestamp && readTimestamp(message.timestamp, `${path}.timestamp`, checks),
    cpuUsage: message.cpuUsage,
    memoryUsageMb: message.memoryUsageMb,
    diskUsageMb: message.diskUsageMb,
    gpuMemoryMb: message.gpuMemoryMb,
    activeConnections: message.activeConnections,
  };
}

function readTimestamp(timestamp: Timestamp, path: string, checks: FieldChecks): bigint {
  const micros = microsOf(timestamp);
  if (!isValidTimestamp(timestamp)) {
    checks.add(path, "must be a time of the years 1 to 9999 with 0 to 999999999 nanos");
  } else if (micros > BigInt(Date.now() + MAX_AHEAD_MS) * 1000n) {
    checks.add(path, "must not be more than 24 hours ahead");
  }
  return micros;
}
