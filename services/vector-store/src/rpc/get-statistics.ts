import type { HandlerContext } from "@connectrpc/connect";
import type { GetStatisticsRequest } from "@kindred/contracts/vector-store/v1";
import type { StatisticsReader } from "../domain/ports.ts";
import { limitsOf } from "./limits.ts";
import { toIndexMessage } from "./messages.ts";

export function getStatisticsRpc({ statistics }: { statistics: StatisticsReader }) {
  return async (_request: GetStatisticsRequest, context: HandlerContext) => {
    const { spaceId, indexes, ...counts } = await statistics.statistics(limitsOf(context));
    return { ...counts, spaceId: spaceId ?? "", indexes: indexes.map(toIndexMessage) };
  };
}
