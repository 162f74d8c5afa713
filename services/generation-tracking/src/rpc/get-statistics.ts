import type { GenerationStore } from "../domain/generation-store.ts";
import { toProtoStatus } from "./messages.ts";

export function getStatisticsRpc(deps: { store: GenerationStore }) {
  return async () => {
    const { total, recent, averageTimeMs, byStatus } = await deps.store.statistics();
    return {
      totalGenerations: total,
      recentGenerations: recent,
      ...(averageTimeMs === undefined ? {} : { avgGenerationTimeMs: averageTimeMs }),
      byStatus: byStatus.map(({ status, count }) => ({ status: toProtoStatus(status), count })),
    };
  };
}
