import type { GpuSample, MetricSample } from "@kindred/contracts/metrics/v1";
import { startChecks, type FieldChecks } from "@kindred/rpc";
import type { Gpu, NewSample } from "../domain/sample.ts";
import { fromWireSource } from "./sample-messages.ts";
import { microsOf } from "./timestamps.ts";

/** The widths of the columns, in code points. */
export const MAX_COMPONENT_CHARACTERS = 50;
const MAX_INSTANCE_CHARACTERS = 100;
const MAX_GPU_NAME_CHARACTERS = 200;
const MAX_PROBLEM_CHARACTERS = 500;
const MAX_GPUS = 64;
const MAX_SAMPLES = 1000;
/** Clocks differ; a sample from further ahead would stand at the end of every history until its time has come. */
const MAX_AHEAD_HOURS = 24;

/** @throws KindredError invalid-argument that names every bad field */
export function readSamples(samples: readonly MetricSample[]): NewSample[] {
  const checks = startChecks();
  checks.size("samples", samples, { max: MAX_SAMPLES });
  checks.throwIfAny();
  const read = samples.map((sample, i) => readSample(sample, `samples[${i}]`, checks));
  checks.throwIfAny();
  return read;
}

function readSample(message: MetricSample, path: string, checks: FieldChecks): NewSample {
  const { component, instance, gpuProblem, gpus } = message;
  checks.text(`${path}.component`, component, { required: true, maxCharacters: MAX_COMPONENT_CHARACTERS });
  checks.text(`${path}.instance`, instance, { maxCharacters: MAX_INSTANCE_CHARACTERS });
  checks.text(`${path}.gpu_problem`, gpuProblem, { maxCharacters: MAX_PROBLEM_CHARACTERS });
  checks.time(`${path}.timestamp`, message.timestamp, { maxAheadHours: MAX_AHEAD_HOURS });
  checks.notNegative(`${path}.cpu_usage`, message.cpuUsage);
  checks.notNegative(`${path}.memory_usage_mb`, message.memoryUsageMb);
  checks.notNegative(`${path}.disk_usage_mb`, message.diskUsageMb);
  checks.notNegative(`${path}.gpu_memory_mb`, message.gpuMemoryMb);
  checks.notNegative(`${path}.active_connections`, message.activeConnections);
  checks.notNegative(`${path}.event_loop_lag_ms`, message.eventLoopLagMs);
  checks.notNegative(`${path}.cpu_limit`, message.cpuLimit);
  checks.notNegative(`${path}.memory_limit_mb`, message.memoryLimitMb);
  checks.notNegative(`${path}.disk_total_mb`, message.diskTotalMb);
  if (gpus.length > MAX_GPUS) checks.add(`${path}.gpus`, `must be at most ${MAX_GPUS}, are ${gpus.length}`);
  return {
    component,
    instance,
    timestampMicros: message.timestamp && microsOf(message.timestamp),
    cpuUsage: message.cpuUsage,
    memoryUsageMb: message.memoryUsageMb,
    diskUsageMb: message.diskUsageMb,
    gpuMemoryMb: message.gpuMemoryMb,
    activeConnections: message.activeConnections,
    eventLoopLagMs: message.eventLoopLagMs,
    cpuSource: fromWireSource(message.cpuSource),
    memorySource: fromWireSource(message.memorySource),
    cpuLimit: message.cpuLimit,
    memoryLimitMb: message.memoryLimitMb,
    diskTotalMb: message.diskTotalMb,
    gpus: gpus.slice(0, MAX_GPUS).map((gpu, i) => readGpu(gpu, `${path}.gpus[${i}]`, checks)),
    gpuProblem,
  };
}

function readGpu(message: GpuSample, path: string, checks: FieldChecks): Gpu {
  const { index, name, memoryUsedMb, memoryTotalMb, utilization, temperature, power } = message;
  checks.notNegative(`${path}.index`, index);
  checks.text(`${path}.name`, name, { maxCharacters: MAX_GPU_NAME_CHARACTERS });
  checks.notNegative(`${path}.memory_used_mb`, memoryUsedMb);
  checks.notNegative(`${path}.memory_total_mb`, memoryTotalMb);
  checks.notNegative(`${path}.utilization`, utilization);
  checks.finite(`${path}.temperature`, temperature);
  checks.notNegative(`${path}.power`, power);
  return { index, name, memoryUsedMb, memoryTotalMb, utilization, temperature, power };
}
