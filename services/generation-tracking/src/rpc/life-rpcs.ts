import type { ServiceImpl } from "@connectrpc/connect";
import type { GenerationService } from "@kindred/contracts/generation-tracking/v1";
import type { GenerationLives } from "../domain/generation-lives.ts";
import type { GenerationStore } from "../domain/generation-store.ts";
import type { GenerationWatches } from "../domain/generation-watches.ts";
import { cancelGenerationRpc } from "./cancel-generation.ts";
import { completeGenerationRpc } from "./complete-generation.ts";
import { deleteGenerationsRpc } from "./delete-generations.ts";
import { failGenerationRpc } from "./fail-generation.ts";
import { getGenerationRpc } from "./get-generation.ts";
import { recordGenerationRpc } from "./record-generation.ts";
import { reportProgressRpc } from "./report-progress.ts";
import { startGenerationRpc } from "./start-generation.ts";
import { updateGenerationRpc } from "./update-generation.ts";
import { watchGenerationRpc } from "./watch-generation.ts";

export interface GenerationLifeDeps {
  store: GenerationStore;
  lives: GenerationLives;
  watches: Pick<GenerationWatches, "watch">;
}

/** The calls about one generation, from its beginning to its end. */
export function lifeRpcs(deps: GenerationLifeDeps) {
  return {
    recordGeneration: recordGenerationRpc(deps),
    startGeneration: startGenerationRpc(deps),
    reportProgress: reportProgressRpc(deps),
    completeGeneration: completeGenerationRpc(deps),
    failGeneration: failGenerationRpc(deps),
    cancelGeneration: cancelGenerationRpc(deps),
    updateGeneration: updateGenerationRpc(deps),
    deleteGenerations: deleteGenerationsRpc(deps),
    getGeneration: getGenerationRpc(deps),
    watchGeneration: watchGenerationRpc(deps),
  } satisfies Partial<ServiceImpl<typeof GenerationService>>;
}
