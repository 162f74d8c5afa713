import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type {
  ModelCacheEvent as EventMessage,
  ReportModelCacheRequest,
} from "@kindred/contracts/generation-tracking/v1";
import { startChecks, type FieldChecks } from "@kindred/rpc";
import type { ModelCacheEvent, ModelCacheStore } from "../domain/model-cache.ts";
import { isValidTimestamp, microsOf } from "./timestamps.ts";

/** The widths of the columns, in code points. */
const MAX_TYPE_CHARACTERS = 50;
const MAX_NAME_CHARACTERS = 200;
const MAX_PATH_CHARACTERS = 500;
/** An entry of the key's index has to fit into a third of a page of 8 KiB, with its header: 2,704 bytes. */
const MAX_KEY_BYTES = 2600;
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
  const required = true;
  checks.text(`${path}.model_type`, modelType, { required, maxCharacters: MAX_TYPE_CHARACTERS });
  checks.text(`${path}.model_name`, modelName, { required, maxCharacters: MAX_NAME_CHARACTERS });
  checks.text(`${path}.cache_path`, cachePath, { required, maxCharacters: MAX_PATH_CHARACTERS });
  const keyBytes = Buffer.byteLength(modelType) + Buffer.byteLength(modelName) + Buffer.byteLength(cachePath);
  if (keyBytes > MAX_KEY_BYTES) {
    checks.add(
      `${path}.cache_path`,
      `must be at most ${MAX_KEY_BYTES} bytes of UTF-8 together with model_type and model_name, which are ${keyBytes}`,
    );
  }
  if (sizeBytes !== undefined && sizeBytes < 0n) {
    checks.add(`${path}.size_bytes`, `must not be negative, is ${sizeBytes}`);
  }
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
