import { create } from "@bufbuild/protobuf";
import {
  MetricSampleSchema,
  type GetMetricsHistoryRequest,
  type MetricSample,
} from "@kindred/contracts/metrics/v1";
import { invalidFields } from "@kindred/errors";
import { metricsHistory } from "../domain/history.ts";
import type { Sample, SampleStore } from "../domain/sample.ts";
import { startChecks } from "./checks.ts";
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
    checks.component("component", request.component);
    const limit = request.limit === 0 ? DEFAULT_LIMIT : request.limit;
    if (limit < 1 || limit > MAX_LIMIT) {
      checks.add("limit", `must be 1 to ${MAX_LIMIT}, or 0 for ${DEFAULT_LIMIT}; is ${limit}`);
    }
    if (checks.violations.length > 0) throw invalidFields(checks.violations);
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
