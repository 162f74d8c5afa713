import type { ConnectRouter } from "@connectrpc/connect";
import { GenerationService, ModelCacheService } from "@kindred/contracts/generation-tracking/v1";
import type { GenerationStore } from "../domain/generation-store.ts";
import type { ModelCacheStore } from "../domain/model-cache.ts";
import { getGenerationRpc } from "./get-generation.ts";
import { getStatisticsRpc } from "./get-statistics.ts";
import { listGenerationsRpc } from "./list-generations.ts";
import { listModelCacheRpc } from "./list-model-cache.ts";
import { recordGenerationRpc } from "./record-generation.ts";
import { reportModelCacheRpc } from "./report-model-cache.ts";

export interface GenerationDeps {
  store: GenerationStore;
  modelCache: ModelCacheStore;
}

export function generationRoutes(deps: GenerationDeps): (router: ConnectRouter) => void {
  return (router) => {
    router.service(GenerationService, {
      recordGeneration: recordGenerationRpc(deps),
      getGeneration: getGenerationRpc(deps),
      listGenerations: listGenerationsRpc(deps),
      getStatistics: getStatisticsRpc(deps),
    });
    router.service(ModelCacheService, {
      reportModelCache: reportModelCacheRpc(deps),
      listModelCache: listModelCacheRpc(deps),
    });
  };
}
