import type { GetMetricsHistoryRequest } from "@kindred/contracts/metrics/v1";
import { startChecks } from "@kindred/rpc";
import { metricsHistory } from "../domain/history.ts";
import type { SampleStore } from "../domain/sample.ts";
import { MAX_COMPONENT_CHARACTERS } from "./read-samples.ts";
import { toSampleMessage } from "./sample-messages.ts";

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
    return { samples: samples.map(toSampleMessage), truncated };
  };
}
