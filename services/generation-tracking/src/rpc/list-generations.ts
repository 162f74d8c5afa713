import type { HandlerContext } from "@connectrpc/connect";
import {
  GenerationSortKey,
  GenerationStatus,
  type GenerationOrder as OrderMessage,
  type ListGenerationsRequest,
} from "@kindred/contracts/generation-tracking/v1";
import { startChecks, type FieldChecks } from "@kindred/rpc";
import {
  NEWEST_FIRST,
  type GenerationFilter,
  type GenerationOrder,
  type GenerationSortKey as SortKey,
} from "../domain/generation-filter.ts";
import type { GenerationLists } from "../domain/generation-lists.ts";
import { listGenerations } from "../domain/list-generations.ts";
import { readGenerationFilter, readTimes } from "./generation-filter.ts";
import { limitsOf } from "./limits.ts";
import { toDomainStatus, toGenerationMessage } from "./messages.ts";

const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 1000;
const MAX_PROMPT_CONTAINS = 1000;

const SORT_KEYS: ReadonlyMap<GenerationSortKey, SortKey> = new Map([
  [GenerationSortKey.UNSPECIFIED, "created_at"],
  [GenerationSortKey.CREATED_AT, "created_at"],
  [GenerationSortKey.GENERATION_TIME, "generation_time_ms"],
  [GenerationSortKey.MEMORY_USAGE, "memory_usage_mb"],
  [GenerationSortKey.RATING, "rating"],
]);

export function listGenerationsRpc(deps: { lists: Pick<GenerationLists, "list"> }) {
  return async (request: ListGenerationsRequest, context: HandlerContext) => {
    const checks = startChecks();
    const pageSize = checks.count("page_size", request.pageSize, {
      max: MAX_PAGE_SIZE,
      zero: DEFAULT_PAGE_SIZE,
    });
    const filters = [
      readOwnConditions(request, checks),
      readGenerationFilter(request.filter, "filter", checks),
    ];
    const order = readOrder(request.order, checks);
    checks.throwIfAny();
    const page = await listGenerations(
      deps,
      { filters, order, pageSize, pageToken: request.pageToken },
      limitsOf(context)(),
    );
    return { generations: page.generations.map(toGenerationMessage), nextPageToken: page.nextPageToken };
  };
}

/** The conditions that a list had before there were filters. */
function readOwnConditions(request: ListGenerationsRequest, checks: FieldChecks): GenerationFilter {
  const status = toDomainStatus(request.status);
  if (!status && request.status !== GenerationStatus.UNSPECIFIED)
    checks.add("status", `must be a known GenerationStatus, is ${request.status}`);
  checks.text("prompt_contains", request.promptContains, { maxCharacters: MAX_PROMPT_CONTAINS });
  return {
    status: status && [status],
    promptContains: request.promptContains || undefined,
    ...readTimes(request, (field) => field, checks),
  };
}

function readOrder(order: OrderMessage | undefined, checks: FieldChecks): GenerationOrder {
  if (!order) return NEWEST_FIRST;
  const key = SORT_KEYS.get(order.key);
  if (!key) checks.add("order.key", `must be a known GenerationSortKey, is ${order.key}`);
  return { key: key ?? "created_at", ascending: order.ascending };
}
