import type { TouchModelRequest } from "@kindred/contracts/generation-tracking/v1";
import { KindredError } from "@kindred/errors";
import { startChecks } from "@kindred/rpc";
import type { ModelCacheStore } from "../../domain/model-cache.ts";
import { toEntryMessage } from "./messages.ts";

const MAX_ACCESSES = 1_000_000;

export function touchModelRpc(deps: { modelCache: ModelCacheStore }) {
  return async ({ id, accesses = 1 }: TouchModelRequest) => {
    const checks = startChecks();
    if (id < 1n) checks.add("id", `must be at least 1, is ${id}`);
    if (accesses < 0 || accesses > MAX_ACCESSES)
      checks.add("accesses", `must be 0 to ${MAX_ACCESSES}, is ${accesses}`);
    checks.throwIfAny();
    const entry = await deps.modelCache.touch(id, accesses);
    if (!entry) throw new KindredError("not-found", `there is no model with id ${id} in a cache`);
    return { entry: toEntryMessage(entry) };
  };
}
