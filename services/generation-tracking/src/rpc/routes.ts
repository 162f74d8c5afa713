import type { ConnectRouter } from "@connectrpc/connect";
import { GenerationService, ModelCacheService } from "@kindred/contracts/generation-tracking/v1";
import type { GenerationStore } from "../domain/generation-store.ts";
import type { ModelCacheStore } from "../domain/model-cache.ts";
import { getDatabaseUsageRpc, type UsageDeps } from "./get-database-usage.ts";
import { getGenerationRpc } from "./get-generation.ts";
import { getStatisticsRpc } from "./get-statistics.ts";
import { listGenerationsRpc } from "./list-generations.ts";
import { listModelCacheRpc } from "./list-model-cache.ts";
import { recordGenerationRpc } from "./record-generation.ts";
import { reportModelCacheRpc } from "./report-model-cache.ts";
import { addLineageService, type LineageDeps } from "./lineage/routes.ts";
import { addSessionService, type SessionDeps } from "./sessions/routes.ts";

export interface GenerationDeps extends SessionDeps, UsageDeps, LineageDeps {
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
      getDatabaseUsage: getDatabaseUsageRpc(deps),
    });
    router.service(ModelCacheService, {
      reportModelCache: reportModelCacheRpc(deps),
      listModelCache: listModelCacheRpc(deps),
    });
    addSessionService(router, deps);
    addLineageService(router, deps);
  };
}
