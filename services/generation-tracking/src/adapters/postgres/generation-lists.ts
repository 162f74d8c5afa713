import type { Database } from "@kindred/postgres";
import type { GenerationFilter } from "../../domain/generation-filter.ts";
import type { GenerationLists, PageQuery } from "../../domain/generation-lists.ts";
import type { CallLimits } from "../../domain/operations/operation.ts";
import { filterCondition } from "./generation-filter.ts";
import { pageStatement } from "./generation-page.ts";
import { partsOf } from "./generation-parts.ts";
import { generationReport, generationStatistics } from "./generation-report.ts";
import { allGenerations, type ListDeps } from "./generation-snapshot.ts";
import { sqlParameters } from "./sql-parameters.ts";

/** Lists, counts and figures over this service's schema. The database stays the caller's. */
export function generationLists(deps: ListDeps): GenerationLists {
  const { db, store } = deps;
  return {
    async list(query, limits) {
      for (;;) {
        // One more than asked for: it tells whether there is a next page.
        const ids = await pageIds(db, { ...query, limit: query.limit + 1 }, limits);
        const [part = []] = await partsOf(
          (text, values) => db.statement({ text, values }, { readOnly: true, ...limits }),
          ids.slice(0, query.limit),
        );
        const generations = await store.findMany(part);
        const more = ids.length > part.length;
        // Where all of them were deleted meanwhile, others have their places.
        if (generations.length > 0 || !more) return { generations, more };
      }
    },
    count: (filter, limit, limits) => count(db, filter, limit, limits),
    all: (filter, signal) => allGenerations(deps, filter, signal),
    statistics: (limits) => generationStatistics(db, limits),
    report: (query, limits) => generationReport(db, query, limits),
  };
}

/**
 * The ids of a page. Generations without the value that they are sorted by come last: that is a second statement, which most pages do
 * not need.
 */
async function pageIds(db: Database, query: PageQuery, limits: CallLimits): Promise<bigint[]> {
  const { order, after, limit } = query;
  const isAmongValues = after === undefined || after.value !== undefined;
  const withValue = isAmongValues ? await idsOf(db, query, true, limits) : [];
  if (order.key === "created_at" || withValue.length >= limit) return withValue;
  const rest = { ...query, after: isAmongValues ? undefined : after, limit: limit - withValue.length };
  return [...withValue, ...(await idsOf(db, rest, false, limits))];
}

async function idsOf(
  db: Database,
  query: PageQuery,
  withValue: boolean,
  limits: CallLimits,
): Promise<bigint[]> {
  const statement = pageStatement(query, withValue);
  const { rows } = await db.statement<{ id: string }>(statement, { readOnly: true, ...limits });
  return rows.map(({ id }) => BigInt(id));
}

async function count(
  db: Database,
  filter: GenerationFilter,
  limit: number | undefined,
  limits: CallLimits,
): Promise<number> {
  const parameters = sqlParameters();
  const where = filterCondition(filter, parameters);
  const text =
    limit === undefined
      ? `SELECT count(*) AS count FROM generations WHERE ${where}`
      : `SELECT count(*) AS count FROM (SELECT FROM generations WHERE ${where} LIMIT ${parameters.add(limit)}) AS g`;
  const { rows } = await db.statement<{ count: string }>(
    { text, values: parameters.values },
    { readOnly: true, ...limits },
  );
  return Number(rows[0]?.count ?? 0);
}
