import type { HandlerContext } from "@connectrpc/connect";
import type { ExplainRequest } from "@kindred/contracts/vector-store/v1";
import { invalidField } from "@kindred/errors";
import { explain, type SearchDeps } from "../../domain/search/search.ts";
import { limitsOf } from "../limits.ts";
import { toPlanMessage } from "./messages.ts";
import { readQuery } from "./read-query.ts";

export function explainRpc(deps: SearchDeps) {
  return async ({ search, analyze }: ExplainRequest, context: HandlerContext) => {
    if (!search) throw invalidField("search", "is required");
    const query = readQuery(search, "search.");
    const { collection, plan, explained } = await explain(deps, query, { analyze }, limitsOf(context));
    return {
      plan: toPlanMessage(plan, collection),
      settings: explained?.settings ?? {},
      sql: explained?.sql ?? "",
      parameters: explained?.parameters ?? [],
      postgresPlan: explained?.plan ?? "",
      reasons: [...plan.reasons],
    };
  };
}
