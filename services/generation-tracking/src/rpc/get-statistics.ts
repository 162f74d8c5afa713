import type { GenerationLists } from "../domain/generation-lists.ts";
import { toProtoStatus } from "./messages.ts";

export function getStatisticsRpc(deps: { lists: Pick<GenerationLists, "statistics"> }) {
  return async () => {
    const { total, recent, averageTimeMs, byStatus } = await deps.lists.statistics();
    return {
      totalGenerations: total,
      recentGenerations: recent,
      ...(averageTimeMs === undefined ? {} : { avgGenerationTimeMs: averageTimeMs }),
      byStatus: byStatus.map(({ status, count }) => ({ status: toProtoStatus(status), count })),
    };
  };
}
