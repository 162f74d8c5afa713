import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import {
  MetricName,
  MetricPointSchema,
  MetricSeriesSchema,
  Resolution as WireResolution,
  type MetricSeries,
  type QueryHistoryRequest,
} from "@kindred/contracts/metrics/v1";
import { startChecks, timestampOf, type FieldChecks } from "@kindred/rpc";
import {
  queryHistory,
  type HistoryStore,
  type Period,
  type Resolution,
  type Series,
} from "../domain/query-history.ts";
import { ALL_QUANTITIES, type Quantity } from "../domain/sample.ts";
import { readComponents } from "./read-components.ts";
import { toWireSource } from "./sample-messages.ts";
import { microsOf } from "./timestamps.ts";

const NAMES: Readonly<Record<Quantity, MetricName>> = {
  cpuUsage: MetricName.CPU_USAGE,
  memoryUsageMb: MetricName.MEMORY_USAGE,
  diskUsageMb: MetricName.DISK_USAGE,
  gpuMemoryMb: MetricName.GPU_MEMORY,
  activeConnections: MetricName.ACTIVE_CONNECTIONS,
  eventLoopLagMs: MetricName.EVENT_LOOP_LAG,
};
const RESOLUTIONS: Readonly<Record<Resolution, WireResolution>> = {
  raw: WireResolution.RAW,
  minute: WireResolution.MINUTE,
  hour: WireResolution.HOUR,
};

const DEFAULT_HOURS = 24;
const MAX_HOURS = 87_600;
const HOUR_MICROS = 3_600_000_000;
const DEFAULT_POINTS = 100_000;
/** At 55 bytes each they fit into a message, which is 32 MiB by default. */
const MAX_POINTS = 500_000;

export function queryHistoryRpc(deps: { history: HistoryStore }) {
  return async (request: QueryHistoryRequest) => {
    const checks = startChecks();
    const query = {
      period: readPeriod(request, checks),
      components: readComponents(request.components, checks),
      quantities: readQuantities(request.metrics, checks),
      resolution: readResolution(request.resolution, checks),
      maxPoints: checks.count("max_points", request.maxPoints, { max: MAX_POINTS, zero: DEFAULT_POINTS }),
    };
    checks.throwIfAny();
    const { series, resolution, period } = await queryHistory(deps, query);
    return {
      series: series.map(toMessage),
      resolution: RESOLUTIONS[resolution],
      from: timestampOf(period.fromMicros),
      to: timestampOf(period.toMicros),
    };
  };
}

function readPeriod({ hours, from, to }: QueryHistoryRequest, checks: FieldChecks): Period {
  const now = BigInt(Date.now()) * 1000n;
  const toMicros = to ? readTime(to, "to", checks) : now;
  if (from) {
    if (hours !== 0) checks.add("hours", "must not be set together with from");
    const fromMicros = readTime(from, "from", checks);
    if (fromMicros >= toMicros) checks.add("from", "must be before to");
    if (toMicros - fromMicros > BigInt(MAX_HOURS) * BigInt(HOUR_MICROS))
      checks.add("from", `must be at most ${MAX_HOURS} hours before to`);
    return { fromMicros, toMicros };
  }
  const back = hours === 0 ? DEFAULT_HOURS : hours;
  // Also true for NaN.
  if (!(back > 0 && back <= MAX_HOURS)) {
    checks.add(
      "hours",
      `must be more than 0 and at most ${MAX_HOURS}, or 0 for ${DEFAULT_HOURS}; is ${back}`,
    );
    return { fromMicros: toMicros, toMicros };
  }
  // "How far back from now", also where it ends before now.
  const fromMicros = now - BigInt(Math.ceil(back * HOUR_MICROS));
  if (fromMicros >= toMicros) checks.add("to", "must be within the last hours that are asked for");
  return { fromMicros, toMicros };
}

function readTime(time: Timestamp, path: string, checks: FieldChecks): bigint {
  checks.time(path, time);
  return microsOf(time);
}

function readQuantities(metrics: readonly MetricName[], checks: FieldChecks): readonly Quantity[] {
  if (metrics.length === 0) return ALL_QUANTITIES;
  for (const [i, metric] of metrics.entries()) {
    if (!ALL_QUANTITIES.some((name) => NAMES[name] === metric))
      checks.add(`metrics[${i}]`, `must be a quantity that is measured, is ${metric}`);
  }
  return ALL_QUANTITIES.filter((name) => metrics.includes(NAMES[name]));
}

function readResolution(resolution: WireResolution, checks: FieldChecks): Resolution | undefined {
  if (resolution === WireResolution.UNSPECIFIED) return undefined;
  const found = Object.entries(RESOLUTIONS).find(([, wire]) => wire === resolution);
  if (!found) checks.add("resolution", `must be raw, minute or hour, is ${resolution}`);
  return found?.[0] as Resolution | undefined;
}

function toMessage({ component, instance, quantity, source, points }: Series): MetricSeries {
  return create(MetricSeriesSchema, {
    component,
    instance,
    metric: NAMES[quantity],
    source: toWireSource(source),
    points: points.map(({ timestampMicros, ...values }) =>
      create(MetricPointSchema, { timestamp: timestampOf(timestampMicros), ...values }),
    ),
  });
}
