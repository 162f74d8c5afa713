import { createClient, type Transport } from "@connectrpc/connect";
import { GenerationService } from "@kindred/contracts/generation-tracking/v1";
import { IndexService } from "@kindred/contracts/vector-store/v1";
import type { StatisticsSources } from "../../domain/database-stats.ts";

/** The services that own the counts, over channels that stay the caller's. */
export function statisticsSources(peers: {
  vectorStore: Transport;
  generationTracking: Transport;
}): StatisticsSources {
  const indexes = createClient(IndexService, peers.vectorStore);
  const generations = createClient(GenerationService, peers.generationTracking);
  return {
    async vectorStore(options) {
      const { totalImages, totalEmbeddings } = await indexes.getStatistics({}, options);
      return { totalImages, totalEmbeddings };
    },
    async generationTracking(options) {
      const { totalGenerations, recentGenerations, avgGenerationTimeMs } = await generations.getStatistics(
        {},
        options,
      );
      return { totalGenerations, recentGenerations, avgGenerationTimeMs };
    },
  };
}
