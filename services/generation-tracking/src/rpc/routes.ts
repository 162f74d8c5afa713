import type { ConnectRouter } from "@connectrpc/connect";
import { GenerationService } from "@kindred/contracts/generation-tracking/v1";
import type { GenerationLists } from "../domain/generation-lists.ts";
import type { GenerationStore } from "../domain/generation-store.ts";
import type { SearchPromptsDeps } from "../domain/prompts/search-prompts.ts";
import { searchPromptsRpc } from "./search-prompts.ts";
import { countGenerationsRpc } from "./count-generations.ts";
import { exportGenerationsRpc, type ExportDeps } from "./export-generations.ts";
import { getDatabaseUsageRpc, type UsageDeps } from "./get-database-usage.ts";
import { getReportRpc } from "./get-report.ts";
import { getStatisticsRpc } from "./get-statistics.ts";
import { lifeRpcs, type GenerationLifeDeps } from "./life-rpcs.ts";
import { listGenerationsRpc } from "./list-generations.ts";
import { addModelCacheService, type ModelCacheDeps } from "./model-cache/routes.ts";
import { addLineageService, type LineageDeps } from "./lineage/routes.ts";
import { addOperationService } from "./operations/routes.ts";
import { addRetentionService, type RetentionDeps } from "./retention/routes.ts";
import { addSessionService, type SessionDeps } from "./sessions/routes.ts";

export interface GenerationDeps
  extends GenerationLifeDeps, SessionDeps, ModelCacheDeps, UsageDeps, LineageDeps {
  store: GenerationStore;
  lists: GenerationLists;
  encoders: ExportDeps["encoders"];
  exportsAtOnce: ExportDeps["exportsAtOnce"];
  prompts: SearchPromptsDeps;
  retention: Omit<RetentionDeps, "store">;
}

export function generationRoutes(deps: GenerationDeps): (router: ConnectRouter) => void {
  return (router) => {
    router.service(GenerationService, {
      ...lifeRpcs(deps),
      listGenerations: listGenerationsRpc(deps),
      searchPrompts: searchPromptsRpc(deps),
      countGenerations: countGenerationsRpc(deps),
      exportGenerations: exportGenerationsRpc(deps),
      getStatistics: getStatisticsRpc(deps),
      getReport: getReportRpc(deps),
      getDatabaseUsage: getDatabaseUsageRpc(deps),
    });
    addModelCacheService(router, deps);
    addSessionService(router, deps);
    addLineageService(router, deps);
    addOperationService(router, deps.retention);
    addRetentionService(router, { ...deps.retention, store: deps.store });
  };
}
