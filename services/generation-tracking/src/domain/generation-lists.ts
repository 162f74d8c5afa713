import type { GenerationFilter, GenerationOrder, ListPosition } from "./generation-filter.ts";
import type { Generation, GenerationStatistics } from "./generation.ts";
import type { CallLimits } from "./operations/operation.ts";
import type { GenerationReport, ReportQuery } from "./report.ts";

/** One page's query. */
export interface PageQuery {
  /** All of them have to hold. */
  filters: readonly GenerationFilter[];
  order: GenerationOrder;
  /** The page begins behind it; undefined: with the first one. */
  after: ListPosition | undefined;
  limit: number;
}

/** What can be asked of many generations at once. Errors are KindredErrors. */
export interface GenerationLists {
  /** At most `limit` generations in their order, fewer where they are long; and whether there are more behind them. */
  list(query: PageQuery, limits: CallLimits): Promise<{ generations: Generation[]; more: boolean }>;
  /** How many match, counted up to `limit`; undefined: all of them. */
  count(filter: GenerationFilter, limit: number | undefined, limits: CallLimits): Promise<number>;
  /**
   * All that match, newest first, some at a time: of one snapshot, where the server keeps one open without making others wait; elsewhere
   * page by page. A snapshot lasts until the iteration ends.
   */
  all(filter: GenerationFilter, signal: AbortSignal): AsyncIterable<Generation[]>;
  statistics(limits: CallLimits): Promise<GenerationStatistics>;
  /** @throws KindredError invalid-argument on `time_zone` for one that the database does not know */
  report(query: ReportQuery, limits: CallLimits): Promise<GenerationReport>;
}
