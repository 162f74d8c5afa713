import type {
  ModelCacheEvent as EventMessage,
  ReportModelCacheRequest,
} from "@kindred/contracts/generation-tracking/v1";
import { startChecks, type FieldChecks } from "@kindred/rpc";
import type { ModelCacheEvent, ModelCacheStore } from "../../domain/model-cache.ts";
import { microsOf } from "../timestamps.ts";
import { checkModelKey, checkSize } from "./messages.ts";

const MAX_EVENTS = 1000;
/** Clocks differ; an entry from further ahead would stand at the head of the list until its time has come. */
const MAX_AHEAD_HOURS = 24;

export function reportModelCacheRpc(deps: { modelCache: ModelCacheStore }) {
  return async ({ events }: ReportModelCacheRequest) => {
    const checks = startChecks();
    checks.size("events", events, { max: MAX_EVENTS });
    checks.throwIfAny();
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
  checks.time(`${path}.last_accessed`, lastAccessed, { maxAheadHours: MAX_AHEAD_HOURS });
  checks.notNegative(`${path}.accesses`, accesses);
  return {
    modelType,
    modelName,
    cachePath,
    sizeBytes,
    lastAccessedMicros: lastAccessed && microsOf(lastAccessed),
    accesses,
  };
}
