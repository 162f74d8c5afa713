import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type {
  ModelCacheEvent as EventMessage,
  ReportModelCacheRequest,
} from "@kindred/contracts/generation-tracking/v1";
import { startChecks, type FieldChecks } from "@kindred/rpc";
import type { ModelCacheEvent, ModelCacheStore } from "../../domain/model-cache.ts";
import { isValidTimestamp, microsOf } from "../timestamps.ts";
import { checkModelKey, checkSize } from "./messages.ts";

const MAX_EVENTS = 1000;
/** Clocks differ; an entry from further ahead would stand at the head of the list until its time has come. */
const MAX_AHEAD_MS = 24 * 3_600_000;

export function reportModelCacheRpc(deps: { modelCache: ModelCacheStore }) {
  return async ({ events }: ReportModelCacheRequest) => {
    const checks = startChecks();
    if (events.length < 1 || events.length > MAX_EVENTS) {
      checks.add("events", `must be 1 to ${MAX_EVENTS}, are ${events.length}`);
      checks.throwIfAny();
    }
    const read = events.map((event, i) => readEvent(event, `events[${i}]`, checks));
    checks.throwIfAny();
    await deps.modelCache.add(read);
    return {};
  };
}

function readEvent(message: EventMessage, path: string, checks: FieldChecks): ModelCacheEvent {
  const { modelType, modelName, cachePath, sizeBytes, lastAccessed, accesses } = message;
  checkModelKey(`${path}.`, { modelType, modelName, cachePath }, checks);
  checkSize(`${path}.size_bytes`, sizeBytes, checks);
  checks.notNegative(`${path}.accesses`, accesses);
  return {
    modelType,
    modelName,
    cachePath,
    sizeBytes,
    lastAccessedMicros: lastAccessed && readTimestamp(lastAccessed, `${path}.last_accessed`, checks),
    accesses,
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
