import type { GenerationOrder, ListPosition } from "../../domain/generation-filter.ts";
import type { PageQuery } from "../../domain/generation-lists.ts";
import { filterConditions } from "./generation-filter.ts";
import { instantText, sqlParameters, type SqlParameters } from "./sql-parameters.ts";

/**
 * Only what an index has is read and sorted: whole rows are fetched for the page alone.
 * @param withValue whether those that have a value in the order's column are wanted, or the others, which go by id
 */
export function pageStatement(
  query: PageQuery,
  withValue = true,
): { text: string; values: readonly unknown[] } {
  const { order, after, limit } = query;
  const parameters = sqlParameters();
  const { conditions, ranges, alternatives } = filterConditions(query.filters, parameters);
  const isOfRanges = ranges.length > 0 && conditions.length === 0 && alternatives.length === 0;
  if (order.key === "created_at" && isOfRanges) return rangesStatement(query, ranges, parameters);
  conditions.push(...ranges);
  if (order.key !== "created_at") conditions.push(`${order.key} IS ${withValue ? "NOT " : ""}NULL`);
  if (after) conditions.push(positionCondition(order, after, parameters));
  const columns = withValue ? `id, ${order.key}` : "id";
  // Two columns in one direction each. Where there are only values, PostgreSQL's own place for NULLs is that of the indexes.
  const direction = order.ascending ? "ASC" : "DESC";
  const by = withValue ? `${order.key} ${direction}, id DESC` : "id DESC";
  const limited = `ORDER BY ${by} LIMIT ${parameters.add(limit)}`;
  const select = (conditionsOfAll: readonly string[]): string =>
    `SELECT ${columns} FROM generations${where(conditionsOfAll)} ${limited}`;
  const { values } = parameters;
  if (alternatives.length === 0) return { text: select(conditions), values };
  // An index gives the first rows of each alternative, and the page is among them.
  const arms = alternatives.map((alternative) => `(${select([...conditions, alternative])})`);
  return { text: `SELECT id FROM (${arms.join(" UNION ALL ")}) AS g ${limited}`, values };
}

/** Generations at a page's place that are looked through before an index is asked for all that match. */
const NEAR = 5_000;

/**
 * PostgreSQL takes it that what matches is spread evenly over time, and would read the whole table for what a folder of last year holds. So only
 * those nearby are looked through; where they do not fill the page, all that match are taken from their own index, and sorted.
 */
function rangesStatement(
  { order, after, limit }: PageQuery,
  ranges: readonly string[],
  parameters: SqlParameters,
) {
  const place = after ? [positionCondition(order, after, parameters)] : [];
  const direction = order.ascending ? "ASC" : "DESC";
  const by = `ORDER BY created_at ${direction}, id DESC`;
  const limited = `${by} LIMIT ${parameters.add(limit)}`;
  const isFull = `(SELECT count(*) FROM near) >= ${parameters.add(limit)}`;
  // OFFSET keeps the sort out of the inner query, and the index on time with it.
  return {
    text: `
      WITH near AS MATERIALIZED (
        SELECT id, created_at FROM (SELECT * FROM generations${where(place)} ${by} LIMIT ${NEAR}) AS nearby${where(ranges)} ${limited})
      (SELECT id, created_at FROM near WHERE ${isFull})
      UNION ALL
      (SELECT id, created_at FROM (SELECT id, created_at FROM generations${where([...place, ...ranges])} OFFSET 0) AS matching
        WHERE NOT ${isFull} ${limited})
      ${by}`,
    values: parameters.values,
  };
}

function where(conditions: readonly string[]): string {
  return conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
}

function positionCondition(order: GenerationOrder, after: ListPosition, parameters: SqlParameters): string {
  const id = `${parameters.add(String(after.id))}::bigint`;
  if (after.value === undefined) return `id < ${id}`;
  const value =
    typeof after.value === "bigint"
      ? `${parameters.add(instantText(after.value))}::timestamptz`
      : `${parameters.add(after.value)}::${order.key === "memory_usage_mb" ? "float8" : "integer"}`;
  // Compared as a pair, so that the index finds the page's beginning, however far back it is.
  if (!order.ascending) return `(${order.key}, id) < (${value}, ${id})`;
  return `${order.key} >= ${value} AND (${order.key} > ${value} OR id < ${id})`;
}
