import type { Database } from "@kindred/postgres";
import type { GenerationFilter } from "../../domain/generation-filter.ts";
import type { GenerationLists, PageQuery } from "../../domain/generation-lists.ts";
import { filterCondition } from "./generation-filter.ts";
import { pageStatement } from "./generation-page.ts";
import { generationReport, generationStatistics } from "./generation-report.ts";
import { allGenerations, type ListDeps } from "./generation-snapshot.ts";
import { sqlParameters } from "./sql-parameters.ts";

/** Lists, counts and figures over this service's schema. The database stays the caller's. */
export function generationLists(deps: ListDeps): GenerationLists {
  const { db, store } = deps;
  return {
    async list(query) {
      return await store.findMany(await pageIds(db, query));
    },
    count: (filter, limit, signal) => count(db, filter, limit, signal),
    all: (filter, signal) => allGenerations(deps, filter, signal),
    statistics: () => generationStatistics(db),
    report: (query, signal) => generationReport(db, query, signal),
  };
}

/**
 * The ids of a page. Generations without the value that they are sorted by come last: that is a second statement, which most pages do
 * not need.
 */
async function pageIds(db: Database, query: PageQuery): Promise<bigint[]> {
  const { order, after, limit } = query;
  const isAmongValues = after === undefined || after.value !== undefined;
  const withValue = isAmongValues ? await idsOf(db, query, true) : [];
  if (order.key === "created_at" || withValue.length >= limit) return withValue;
  const rest = { ...query, after: isAmongValues ? undefined : after, limit: limit - withValue.length };
  return [...withValue, ...(await idsOf(db, rest, false))];
}

async function idsOf(db: Database, query: PageQuery, withValue: boolean): Promise<bigint[]> {
  const { text, values } = pageStatement(query, withValue);
  const { rows } = await db.query<{ id: string }>(text, values);
  return rows.map(({ id }) => BigInt(id));
}

async function count(
  db: Database,
  filter: GenerationFilter,
  limit: number | undefined,
  signal: AbortSignal | undefined,
): Promise<number> {
  const parameters = sqlParameters();
  const where = filterCondition(filter, parameters);
  const text =
    limit === undefined
      ? `SELECT count(*) AS count FROM generations WHERE ${where}`
      : `SELECT count(*) AS count FROM (SELECT FROM generations WHERE ${where} LIMIT ${parameters.add(limit)}) AS g`;
  const { rows } = await db.statement<{ count: string }>(
    { text, values: parameters.values },
    { readOnly: true, signal },
  );
  return Number(rows[0]?.count ?? 0);
}
