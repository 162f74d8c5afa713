import { create } from "@bufbuild/protobuf";
import {
  MetricSampleSchema,
  type GetMetricsHistoryRequest,
  type MetricSample,
} from "@kindred/contracts/metrics/v1";
import { startChecks } from "@kindred/rpc";
import { metricsHistory } from "../domain/history.ts";
import type { Sample, SampleStore } from "../domain/sample.ts";
import { MAX_COMPONENT_CHARACTERS } from "./report-metrics.ts";
import { timestampOf } from "./timestamps.ts";

const DEFAULT_HOURS = 24;
const MAX_HOURS = 8760;
const DEFAULT_LIMIT = 10_000;
const MAX_LIMIT = 100_000;

export function getMetricsHistoryRpc(deps: { store: SampleStore }) {
  return async (request: GetMetricsHistoryRequest) => {
    const checks = startChecks();
    const hours = request.hours === 0 ? DEFAULT_HOURS : request.hours;
    // Also true for NaN.
    if (!(hours > 0 && hours <= MAX_HOURS)) {
      checks.add(
        "hours",
        `must be more than 0 and at most ${MAX_HOURS}, or 0 for ${DEFAULT_HOURS}; is ${hours}`,
      );
    }
    checks.text("component", request.component, { maxCharacters: MAX_COMPONENT_CHARACTERS });
    const limit = checks.count("limit", request.limit, { max: MAX_LIMIT, zero: DEFAULT_LIMIT });
    checks.throwIfAny();
    const component = request.component || undefined;
    const { samples, truncated } = await metricsHistory(deps, { hours, component, limit });
    return { samples: samples.map(toMessage), truncated };
  };
}

function toMessage(sample: Sample): MetricSample {
  const { cpuUsage, memoryUsageMb, diskUsageMb, gpuMemoryMb, activeConnections } = sample;
  return create(MetricSampleSchema, {
    component: sample.component,
    timestamp: timestampOf(sample.timestampMicros),
    ...(cpuUsage === undefined ? {} : { cpuUsage }),
    ...(memoryUsageMb === undefined ? {} : { memoryUsageMb }),
    ...(diskUsageMb === undefined ? {} : { diskUsageMb }),
    ...(gpuMemoryMb === undefined ? {} : { gpuMemoryMb }),
    ...(activeConnections === undefined ? {} : { activeConnections }),
  });
}
