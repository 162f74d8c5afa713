import { create } from "@bufbuild/protobuf";
import {
  GpuSampleSchema,
  MetricSampleSchema,
  MetricSource as WireSource,
  type GpuSample,
  type MetricSample,
} from "@kindred/contracts/metrics/v1";
import { timestampOf } from "@kindred/rpc";
import type { Gpu, MetricSource, Sample } from "../domain/sample.ts";

const TO_WIRE: Readonly<Record<MetricSource, WireSource>> = {
  process: WireSource.PROCESS,
  cgroup2: WireSource.CGROUP2,
  cgroup1: WireSource.CGROUP1,
  host: WireSource.HOST,
};

export function toWireSource(source: MetricSource | undefined): WireSource {
  return source === undefined ? WireSource.UNSPECIFIED : TO_WIRE[source];
}

/** Undefined for UNSPECIFIED, and for what a later version of the contract may have added. */
export function fromWireSource(source: WireSource): MetricSource | undefined {
  const found = Object.entries(TO_WIRE).find(([, wire]) => wire === source);
  return found?.[0] as MetricSource | undefined;
}

/** What is undefined is left out: an optional field that is not set. */
function defined<T extends object>(values: T): { [K in keyof T]: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: NonNullable<T[K]>;
  };
}

export function toSampleMessage(sample: Sample): MetricSample {
  return create(MetricSampleSchema, {
    component: sample.component,
    instance: sample.instance,
    timestamp: timestampOf(sample.timestampMicros),
    ...defined({
      cpuUsage: sample.cpuUsage,
      memoryUsageMb: sample.memoryUsageMb,
      diskUsageMb: sample.diskUsageMb,
      gpuMemoryMb: sample.gpuMemoryMb,
      activeConnections: sample.activeConnections,
      eventLoopLagMs: sample.eventLoopLagMs,
      cpuLimit: sample.cpuLimit,
      memoryLimitMb: sample.memoryLimitMb,
      diskTotalMb: sample.diskTotalMb,
    }),
    cpuSource: toWireSource(sample.cpuSource),
    memorySource: toWireSource(sample.memorySource),
    gpus: sample.gpus.map(toGpuMessage),
    gpuProblem: sample.gpuProblem,
  });
}

function toGpuMessage({ index, name, ...values }: Gpu): GpuSample {
  return create(GpuSampleSchema, { index, name, ...defined(values) });
}
