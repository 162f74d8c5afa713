import type { ConnectRouter } from "@connectrpc/connect";
import { GenerationService } from "@kindred/contracts/generation-tracking/v1";
import type { GenerationStore } from "../domain/generation-store.ts";
import { getGenerationRpc } from "./get-generation.ts";
import { getStatisticsRpc } from "./get-statistics.ts";
import { listGenerationsRpc } from "./list-generations.ts";
import { recordGenerationRpc } from "./record-generation.ts";

export function generationRoutes(deps: { store: GenerationStore }): (router: ConnectRouter) => void {
  return (router) => {
    router.service(GenerationService, {
      recordGeneration: recordGenerationRpc(deps),
      getGeneration: getGenerationRpc(deps),
      listGenerations: listGenerationsRpc(deps),
      getStatistics: getStatisticsRpc(deps),
    });
  };
}
