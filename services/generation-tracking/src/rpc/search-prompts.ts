import type { HandlerContext } from "@connectrpc/connect";
import type { SearchPromptsRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import type { GenerationFilter } from "../domain/generation-filter.ts";
import {
  searchPrompts,
  type PromptSearch,
  type SearchPromptsDeps,
} from "../domain/prompts/search-prompts.ts";
import { readGenerationFilter } from "./generation-filter.ts";
import { toGenerationMessage } from "./messages.ts";

const DEFAULT_K = 10;
const MAX_K = 1000;

export function searchPromptsRpc(deps: { prompts: SearchPromptsDeps }) {
  return async (request: SearchPromptsRequest, context: HandlerContext) => {
    const search = readSearch(request);
    const timeoutMs = context.timeoutMs();
    const { hits, pending, incomplete } = await searchPrompts(deps.prompts, search, {
      signal: context.signal,
      ...(timeoutMs !== undefined && { timeoutMs }),
    });
    return {
      hits: hits.map(({ generation, similarity }) => ({
        generation: toGenerationMessage(generation),
        similarity,
      })),
      pending,
      incomplete,
    };
  };
}

function readSearch({ query, k, threshold, filter }: SearchPromptsRequest): PromptSearch {
  const checks = startChecks();
  checks.text("query", query, { required: true });
  const count = checks.count("k", k, { max: MAX_K, zero: DEFAULT_K });
  checks.finite("threshold", threshold);
  const search = {
    query,
    k: count,
    threshold,
    filter: withConditions(readGenerationFilter(filter, "filter", checks)),
  };
  checks.throwIfAny();
  return search;
}

/** Undefined for a filter that everything passes. */
function withConditions(filter: GenerationFilter): GenerationFilter | undefined {
  const none = Object.values(filter).every(
    (condition) => condition === undefined || (Array.isArray(condition) && condition.length === 0),
  );
  return none ? undefined : filter;
}
