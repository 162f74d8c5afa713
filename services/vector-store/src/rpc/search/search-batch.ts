import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import type {
  SearchBatchRequest,
  SearchBatchResultSchema,
  SearchRequest,
} from "@kindred/contracts/vector-store/v1";
import { invalidField, isKindredError, type KindredError } from "@kindred/errors";
import { toConnectError } from "@kindred/rpc";
import { searchBatch, type SearchOutcome } from "../../domain/search/search-batch.ts";
import type { SearchDeps } from "../../domain/search/search.ts";
import type { SearchQuery } from "../../domain/search/search-query.ts";
import { limitsOf } from "../limits.ts";
import { toDuration, toSearchResponse } from "./messages.ts";
import { readQuery } from "./read-query.ts";

const MAX_SEARCHES = 100;

export function searchBatchRpc(deps: SearchDeps) {
  return async ({ searches }: SearchBatchRequest, context: HandlerContext) => {
    if (searches.length < 1 || searches.length > MAX_SEARCHES) {
      throw invalidField("searches", `must be 1 to ${MAX_SEARCHES}, are ${searches.length}`);
    }
    const queries = searches.map((request, i) => readOrFailure(request, `searches[${i}].`));
    return { results: (await searchBatch(deps, queries, limitsOf(context))).map(toResult) };
  };
}

function readOrFailure(request: SearchRequest, at: string): SearchQuery | KindredError {
  try {
    return readQuery(request, at);
  } catch (error) {
    if (isKindredError(error)) return error;
    throw error;
  }
}

function toResult(outcome: SearchOutcome): MessageInitShape<typeof SearchBatchResultSchema> {
  if (!isKindredError(outcome)) return { result: { case: "response", value: toSearchResponse(outcome) } };
  const { message, retryAfterMs } = outcome;
  return {
    result: {
      case: "failure",
      value: {
        code: toConnectError(outcome).code,
        message,
        ...(retryAfterMs !== undefined && { retryAfter: toDuration(retryAfterMs) }),
      },
    },
  };
}
