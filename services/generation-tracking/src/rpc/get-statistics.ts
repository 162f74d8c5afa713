import type { HandlerContext } from "@connectrpc/connect";
import type { GetStatisticsRequest } from "@kindred/contracts/generation-tracking/v1";
import type { GenerationLists } from "../domain/generation-lists.ts";
import { limitsOf } from "./limits.ts";
import { toProtoStatus } from "./messages.ts";

export function getStatisticsRpc(deps: { lists: Pick<GenerationLists, "statistics"> }) {
  return async (_: GetStatisticsRequest, context: HandlerContext) => {
    const { total, recent, averageTimeMs, byStatus } = await deps.lists.statistics(limitsOf(context)());
    return {
      totalGenerations: total,
      recentGenerations: recent,
      ...(averageTimeMs === undefined ? {} : { avgGenerationTimeMs: averageTimeMs }),
      byStatus: byStatus.map(({ status, count }) => ({ status: toProtoStatus(status), count })),
    };
  };
}
