import type { ConnectRouter } from "@connectrpc/connect";
import { ModelCacheService } from "@kindred/contracts/generation-tracking/v1";
import type { ModelCacheStore } from "../../domain/model-cache.ts";
import { adviseEvictionRpc } from "./advise-eviction.ts";
import { listModelCacheRpc } from "./list-model-cache.ts";
import { registerModelRpc } from "./register-model.ts";
import { removeModelsRpc } from "./remove-models.ts";
import { reportModelCacheRpc } from "./report-model-cache.ts";
import { reportModelPathsRpc } from "./report-model-paths.ts";
import { touchModelRpc } from "./touch-model.ts";

export interface ModelCacheDeps {
  modelCache: ModelCacheStore;
}

export function addModelCacheService(router: ConnectRouter, deps: ModelCacheDeps): void {
  router.service(ModelCacheService, {
    reportModelCache: reportModelCacheRpc(deps),
    registerModel: registerModelRpc(deps),
    touchModel: touchModelRpc(deps),
    removeModels: removeModelsRpc(deps),
    adviseEviction: adviseEvictionRpc(deps),
    reportModelPaths: reportModelPathsRpc(deps),
    listModelCache: listModelCacheRpc(deps),
  });
}
