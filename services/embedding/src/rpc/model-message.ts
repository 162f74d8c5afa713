import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { ModelSchema, ModelState, type Model } from "@kindred/contracts/embedding/v1";
import type { ModelOverview } from "../domain/model-registry.ts";
import { precisionMessage } from "./precision.ts";
import { spaceMessage } from "./space.ts";

const STATES: Record<ModelOverview["state"], ModelState> = {
  unloaded: ModelState.UNLOADED,
  loading: ModelState.LOADING,
  ready: ModelState.READY,
  failed: ModelState.FAILED,
};

export function modelMessage(model: ModelOverview): Model {
  const { space, cache, lastUsedAt } = model;
  return create(ModelSchema, {
    name: model.name,
    aliases: [...model.aliases],
    isDefault: model.isDefault,
    provider: model.provider,
    state: STATES[model.state],
    detail: model.detail,
    ...(space === undefined ? {} : { space: spaceMessage(space) }),
    precision: precisionMessage(model.served?.local?.precision),
    memoryBytes: BigInt(model.memoryBytes),
    cachePath: cache?.path ?? "",
    cacheBytes: BigInt(cache?.bytes ?? 0),
    requestCount: BigInt(model.requests),
    ...(lastUsedAt === undefined ? {} : { lastUsed: timestampFromDate(lastUsedAt) }),
  });
}
