import type { HandlerContext } from "@connectrpc/connect";
import type { GetStatisticsRequest } from "@kindred/contracts/vector-store/v1";
import { countDown } from "../domain/call-limits.ts";
import { COLLECTION } from "../domain/collection.ts";
import { describeIndexes, type DescribeIndexesDeps } from "../domain/indexes/describe-indexes.ts";
import type { CollectionRepository } from "../domain/item-ports.ts";
import type { StatisticsReader } from "../domain/ports.ts";
import { limitsOf } from "./limits.ts";
import { toIndexMessage } from "./messages.ts";

export function getStatisticsRpc(
  deps: DescribeIndexesDeps & {
    statistics: StatisticsReader;
    collections: Pick<CollectionRepository, "get">;
  },
) {
  return async (_request: GetStatisticsRequest, context: HandlerContext) => {
    const left = countDown(limitsOf(context));
    const { spaceId, indexes, ...counts } = await deps.statistics.statistics(left());
    const described = await describeIndexes(deps, await deps.collections.get(COLLECTION), left());
    const shown = indexes.map((index) => ({ ...described.find(({ oid }) => oid === index.oid), ...index }));
    return { ...counts, spaceId: spaceId ?? "", indexes: shown.map(toIndexMessage) };
  };
}
