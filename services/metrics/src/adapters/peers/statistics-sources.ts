import { createClient, type Transport } from "@connectrpc/connect";
import type { DatabaseUsage as UsageMessage } from "@kindred/contracts/common/v1";
import { GenerationService } from "@kindred/contracts/generation-tracking/v1";
import { IndexService } from "@kindred/contracts/vector-store/v1";
import type { DatabaseUsage, StatisticsSources } from "../../domain/database-stats.ts";

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
    databases: {
      "vector-store": async (options) => toUsage((await indexes.getDatabaseUsage({}, options)).usage),
      "generation-tracking": async (options) =>
        toUsage((await generations.getDatabaseUsage({}, options)).usage),
    },
  };
}

function toUsage(usage: UsageMessage | undefined): DatabaseUsage | undefined {
  if (!usage?.pool) return undefined;
  const { schema, tables, serverVersion } = usage;
  const { total, idle, waiting, max } = usage.pool;
  return {
    schema,
    tables: tables.map(({ name, estimatedRows, tableBytes, indexBytes, partitions }) => ({
      name,
      ...(estimatedRows !== undefined && { estimatedRows }),
      tableBytes,
      indexBytes,
      partitions,
    })),
    pool: { total, idle, waiting, max },
    serverVersion,
  };
}
