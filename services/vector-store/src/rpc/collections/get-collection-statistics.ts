import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import type { GetCollectionStatisticsRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import type { CollectionRepository } from "../../domain/item-ports.ts";
import { plannedMethod } from "../../domain/planned-method.ts";
import { limitsOf } from "../limits.ts";
import { toIndexMessage } from "../messages.ts";
import { readName } from "./collection-fields.ts";

export function getCollectionStatisticsRpc({
  collections,
}: {
  collections: Pick<CollectionRepository, "get" | "statistics">;
}) {
  return async (request: GetCollectionStatisticsRequest, context: HandlerContext) => {
    const checks = startChecks();
    const name = readName(request.name, "name", checks);
    checks.throwIfAny();
    const limits = limitsOf(context);
    const { exact } = request;
    const { indexes, lastAnalyzedAt, ...counts } = await collections.statistics(name, { exact }, limits);
    return {
      ...counts,
      indexes: indexes.map(toIndexMessage),
      plan: plannedMethod(await collections.get(name), indexes),
      ...(lastAnalyzedAt && { lastAnalyzedAt: timestampFromDate(lastAnalyzedAt) }),
    };
  };
}
