import type { HandlerContext } from "@connectrpc/connect";
import type { GetDatabaseStatsRequest } from "@kindred/contracts/metrics/v1";
import { gatherDatabaseStats, type StatisticsSources } from "../domain/database-stats.ts";

/** What one service may take to answer: statistics are looked at by people. */
const SOURCE_TIMEOUT_MS = 2000;
/** Part of the caller's own deadline that its sources get, so that their silence can still be told. */
const SHARE_OF_DEADLINE = 0.8;

export function getDatabaseStatsRpc(deps: { sources: StatisticsSources }) {
  return async (_: GetDatabaseStatsRequest, context: Pick<HandlerContext, "signal" | "timeoutMs">) => {
    const left = context.timeoutMs();
    const timeoutMs =
      left === undefined ? SOURCE_TIMEOUT_MS : Math.min(SOURCE_TIMEOUT_MS, left * SHARE_OF_DEADLINE);
    const { catalogue, generations, databases, unavailable } = await gatherDatabaseStats(deps.sources, {
      timeoutMs: Math.max(1, timeoutMs),
      signal: context.signal,
    });
    const { avgGenerationTimeMs, ...counts } = generations ?? {};
    return {
      ...catalogue,
      ...counts,
      ...(avgGenerationTimeMs === undefined ? {} : { avgGenerationTimeMs }),
      databases,
      unavailable,
    };
  };
}
