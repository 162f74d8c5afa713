import type { HandlerContext } from "@connectrpc/connect";
import type { GetRecallCurvesRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import type { CollectionRepository } from "../../domain/item-ports.ts";
import type { RecallStore } from "../../domain/recall/recall.ts";
import { limitsOf } from "../limits.ts";
import { toCurveMessage } from "./messages.ts";
import { readCollectionName } from "./read-recall.ts";

export function getRecallCurvesRpc({
  collections,
  recall,
}: {
  collections: Pick<CollectionRepository, "get">;
  recall: Pick<RecallStore, "curves">;
}) {
  return async (request: GetRecallCurvesRequest, context: HandlerContext) => {
    const checks = startChecks();
    const name = readCollectionName(request.collection, checks);
    checks.throwIfAny();
    await collections.get(name);
    const byIndex = await recall.curves(name, limitsOf(context));
    return {
      curves: [...byIndex].flatMap(([indexName, curves]) =>
        curves.map((curve) => toCurveMessage(indexName, curve)),
      ),
    };
  };
}
