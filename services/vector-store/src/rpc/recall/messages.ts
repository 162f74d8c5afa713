import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type {
  RecallCurveSchema,
  RecallEventSchema,
  RecallMeasurementSchema,
} from "@kindred/contracts/vector-store/v1";
import type { RecallCurve, RecallEvent, RecallMeasurement } from "../../domain/recall/recall.ts";

export function toMeasurementMessage(
  measurement: RecallMeasurement,
): MessageInitShape<typeof RecallMeasurementSchema> {
  const { selectivity, indexMs, exactMs, recallTarget, rows, measuredAt, ...rest } = measurement;
  return {
    ...rest,
    filterSelectivity: selectivity,
    indexTime: toDuration(indexMs),
    exactTime: toDuration(exactMs),
    recallTarget: recallTarget ?? 0,
    rows: BigInt(rows),
    measuredAt: timestampFromDate(measuredAt),
  };
}

export function toCurveMessage(
  indexName: string,
  curve: RecallCurve,
): MessageInitShape<typeof RecallCurveSchema> {
  const { k, selectivity, points, exactMs, queries, recentQueries, rows, tunedAt } = curve;
  return {
    indexName,
    k,
    filterSelectivity: selectivity,
    points: points.map(({ ms, ...point }) => ({ ...point, time: toDuration(ms) })),
    exactTime: toDuration(exactMs),
    queries,
    recentQueries,
    rows: BigInt(rows),
    tunedAt: timestampFromDate(tunedAt),
  };
}

export function toEventMessage(event: RecallEvent): MessageInitShape<typeof RecallEventSchema> {
  const { id, met, recallTarget, measurement, createdAt } = event;
  const { collection, indexName } = measurement;
  return {
    id,
    collection,
    indexName,
    met,
    recallTarget,
    measurement: toMeasurementMessage(measurement),
    createdAt: timestampFromDate(createdAt),
  };
}

/** durationFromMs takes whole milliseconds only. */
function toDuration(ms: number): { seconds: bigint; nanos: number } {
  const { seconds } = durationFromMs(Math.floor(ms));
  return { seconds, nanos: Math.min(999_999_999, Math.round((ms - 1000 * Number(seconds)) * 1e6)) };
}
