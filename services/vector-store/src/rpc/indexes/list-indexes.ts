import type { HandlerContext } from "@connectrpc/connect";
import type { ListIndexesRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import { countDown } from "../../domain/call-limits.ts";
import { COLLECTION } from "../../domain/collection.ts";
import { describeIndexes, type DescribeIndexesDeps } from "../../domain/indexes/describe-indexes.ts";
import type { CollectionRepository } from "../../domain/item-ports.ts";
import { readName } from "../collections/collection-fields.ts";
import { limitsOf } from "../limits.ts";
import { toIndexMessage } from "../messages.ts";

export function listIndexesRpc(
  deps: DescribeIndexesDeps & { collections: Pick<CollectionRepository, "get" | "list"> },
) {
  return async (request: ListIndexesRequest, context: HandlerContext) => {
    const checks = startChecks();
    if (request.allCollections && request.collection !== "")
      checks.add("collection", "must be empty together with all_collections");
    const name = readName(request.collection || COLLECTION, "collection", checks);
    checks.throwIfAny();
    const left = countDown(limitsOf(context));
    const collections = request.allCollections
      ? await deps.collections.list()
      : [await deps.collections.get(name)];
    const indexes = [];
    for (const collection of collections) indexes.push(...(await describeIndexes(deps, collection, left())));
    return { indexes: indexes.map(toIndexMessage) };
  };
}
