import type { ConnectRouter } from "@connectrpc/connect";
import { GenerationService, ModelCacheService } from "@kindred/contracts/generation-tracking/v1";
import type { GenerationLists } from "../domain/generation-lists.ts";
import type { GenerationStore } from "../domain/generation-store.ts";
import type { ModelCacheStore } from "../domain/model-cache.ts";
import type { SearchPromptsDeps } from "../domain/prompts/search-prompts.ts";
import { searchPromptsRpc } from "./search-prompts.ts";
import { countGenerationsRpc } from "./count-generations.ts";
import { getDatabaseUsageRpc, type UsageDeps } from "./get-database-usage.ts";
import { getGenerationRpc } from "./get-generation.ts";
import { getReportRpc } from "./get-report.ts";
import { getStatisticsRpc } from "./get-statistics.ts";
import { listGenerationsRpc } from "./list-generations.ts";
import { listModelCacheRpc } from "./list-model-cache.ts";
import { recordGenerationRpc } from "./record-generation.ts";
import { reportModelCacheRpc } from "./report-model-cache.ts";
import { addLineageService, type LineageDeps } from "./lineage/routes.ts";
import { addSessionService, type SessionDeps } from "./sessions/routes.ts";

export interface GenerationDeps extends SessionDeps, UsageDeps, LineageDeps {
  store: GenerationStore;
  lists: GenerationLists;
  modelCache: ModelCacheStore;
  prompts: SearchPromptsDeps;
}

export function generationRoutes(deps: GenerationDeps): (router: ConnectRouter) => void {
  return (router) => {
    router.service(GenerationService, {
      recordGeneration: recordGenerationRpc(deps),
      getGeneration: getGenerationRpc(deps),
      listGenerations: listGenerationsRpc(deps),
      searchPrompts: searchPromptsRpc(deps),
      countGenerations: countGenerationsRpc(deps),
      getStatistics: getStatisticsRpc(deps),
      getReport: getReportRpc(deps),
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
