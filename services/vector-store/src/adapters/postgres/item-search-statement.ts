import type { Metric } from "../../domain/collection.ts";
import type { ItemQuery } from "../../domain/item-ports.ts";
import { MAX_EF_SEARCH, MAX_PROBES } from "../../domain/search/search-plan.ts";
import { IMAGE_ID_FIELD, type KeyType, type Layout, type TableRole } from "../../domain/layout.ts";
import { filterCondition, groupExpression } from "./filter-condition.ts";
import { hitColumns } from "./hit-columns.ts";
import {
  columnSql,
  itemsJoinSql,
  keySql,
  startStatement,
  tableSql,
  type Parameter,
  type Statement,
} from "./sql.ts";
import { vectorParameter, vectorParameterType } from "./vector-columns.ts";

/** As pgvector defines them. */
const OPERATORS: Record<Metric, string> = {
  cosine: "<=>",
  l2: "<->",
  "inner-product": "<#>",
  l1: "<+>",
  hamming: "<~>",
  jaccard: "<%>",
};

export type DistanceQuery = Pick<ItemQuery, "collection" | "vector" | "metric" | "group" | "projection"> & {
  keys: readonly string[];
};

/**
 * The nearest items first, as many as the candidate limit; of those, `size` of each group; of those the k nearest hits or groups;
 * and at last what the projection wants of them. Where every candidate is a hit and nothing else is read for it, that is all there
 * is to the statement; an index scan's hits are then in the index's order, which leaves equal ones as they come. When the limit did not cut the candidates short, or k came of them, that
 * is exactly the k nearest: every group's nearest items come before all its others.
 *
 * An exact scan adds 0 to the distance, which no index can order by. An index scan orders by the bare operator, of a quantised index by
 * the expression that it holds; `scanSettings` leave the planner no other way to do that. Distances are always those of whole vectors: by
 * them, the candidates of a binary quantised index, many more than are wanted, are compared again. Nothing but the query's shape is in the text.
 */
export function nearestStatement(query: ItemQuery): Statement {
  const { values, parameter } = startStatement();
  const { collection, group, projection } = query;
  const { layout } = collection;
  const images = collection.kind === "images";
  const columns = [
    `${keySql(layout)} AS key`,
    `${distanceSql(query, parameter, query.scan.method === "exact")} AS distance`,
  ];
  if (images) columns.push(`${columnSql("vectors", IMAGE_ID_FIELD)} AS image_id`);
  const grouping = group && groupExpression(group.path, layout, parameter);
  if (grouping) columns.push(`${grouping.sql} AS "group"`);
  const order = orderOf(layout.key.type, images);
  const nearestFirst = query.scan.method === "exact" ? exactOrder(layout, images) : indexOrder(query);
  const wanted = hitColumns(collection, projection, parameter);
  const compared = comparedAgain(query);
  if (compared === undefined && !countsCandidates(query) && !wanted.tables.has("items")) {
    const selected = [`${keySql(layout)}::text AS key`, ...columns.slice(1), ...wanted.columns];
    const text = `
    SELECT ${selected.join(", ")} FROM ${sourceSql(layout, undefined)} ${whereSql(query, parameter)}
     ORDER BY ${nearestFirst} LIMIT ${parameter(query.candidateLimit)}`;
    return { text, values };
  }
  const scanned = `
      SELECT ${columns.join(", ")} FROM ${sourceSql(layout, grouping)} ${whereSql(query, parameter)}
       ORDER BY ${nearestFirst} LIMIT ${parameter(compared ?? query.candidateLimit)}`;
  const candidates =
    compared === undefined
      ? `WITH candidates AS MATERIALIZED (${scanned})`
      : `WITH quantized AS MATERIALIZED (${scanned}), candidates AS MATERIALIZED (
           SELECT * FROM quantized ORDER BY ${order("")} LIMIT ${parameter(query.candidateLimit)}
         )`;
  const hits = group ? groupedHits(query, order, parameter) : ungroupedHits(query, order, parameter);
  const selected = [
    `h.key::text AS key`,
    "h.distance",
    ...(group ? [`h."group"`] : []),
    ...(countsCandidates(query) ? [`(SELECT count(*) FROM candidates) AS candidates`] : []),
    ...wanted.columns,
  ];
  const text = `${candidates}${hits}
    SELECT ${selected.join(", ")}
      FROM hits h ${wanted.joins}
     ORDER BY ${group ? `h.place, ${order("h.")}` : order("h.")}`;
  return { text, values };
}

/** Without groups every candidate is a hit, until there are k. */
export function countsCandidates({ group, candidateLimit, k }: ItemQuery): boolean {
  return group !== undefined || candidateLimit > k;
}

/** How many rows of a binary quantised index are compared by their whole vectors; undefined where none have to be. */
function comparedAgain({
  scan,
  candidateLimit,
}: Pick<ItemQuery, "scan" | "candidateLimit">): number | undefined {
  return scan.method === "exact" || scan.rerank === undefined
    ? undefined
    : Math.max(scan.rerank, candidateLimit);
}

/** How many rows the scan is asked for. */
export function scannedRows(query: Pick<ItemQuery, "scan" | "candidateLimit">): number {
  return comparedAgain(query) ?? query.candidateLimit;
}

/** Items by key, with their distances. */
export function distancesStatement(query: DistanceQuery): Statement {
  const { values, parameter } = startStatement();
  const { collection, group, projection, keys } = query;
  const { layout } = collection;
  const columns = [`${keySql(layout)} AS key`, `${distanceSql(query, parameter, true)} AS distance`];
  const grouping = group && groupExpression(group.path, layout, parameter);
  if (grouping) columns.push(`${grouping.sql} AS "group"`);
  const wanted = hitColumns(collection, projection, parameter);
  const selected = [`h.key::text AS key`, "h.distance", ...(group ? [`h."group"`] : []), ...wanted.columns];
  const text = `
    WITH hits AS MATERIALIZED (
      SELECT ${columns.join(", ")} FROM ${sourceSql(layout, grouping)}
       WHERE ${keySql(layout)} = ANY (${parameter([...keys])}::${layout.key.type}[])
    )
    SELECT ${selected.join(", ")} FROM hits h ${wanted.joins}`;
  return { text, values };
}

/**
 * Settings of the transaction that searches. Ways around the index (a sequential scan, sorting rows of another index) are closed;
 * so the plan is the same whatever the
 * parameters are, and a prepared statement keeps it; joins of the few hits go by their keys, though the planner does not know how few
 * they are then. `iterative`, of pgvector 0.8 and newer, lets the scan go on until there are enough rows. They come in relaxed order,
 * since they are sorted again anyway. An index of another method looks as dear to the planner as it can, so that it takes the one that
 * is wanted where both are there.
 */
export function scanSettings(
  { scan, filter, sampledShare, candidateLimit, collection, projection }: SettingsQuery,
  options: { iterative: boolean },
): Record<string, string | number> {
  if (scan.method === "exact") return {};
  const ways = {
    plan_cache_mode: "force_generic_plan",
    enable_seqscan: "off",
    enable_sort: "off",
    ...(joinsHits({ collection, projection }) ? { enable_hashjoin: "off", enable_mergejoin: "off" } : {}),
  };
  switch (scan.method) {
    case "hnsw": {
      const rows = scannedRows({ scan, candidateLimit });
      const iterative = {
        "hnsw.iterative_scan": "relaxed_order",
        // Without a filter nearly every row passes, and pgvector's default is seldom reached.
        ...(filter || sampledShare !== undefined || rows > SCAN_TUPLES / 2
          ? { "hnsw.max_scan_tuples": scan.maxScanTuples }
          : {}),
      };
      return {
        ...ways,
        "hnsw.ef_search": scan.efSearch,
        "ivfflat.probes": MAX_PROBES,
        ...(options.iterative ? iterative : {}),
      };
    }
    case "ivfflat": {
      const iterative = {
        "ivfflat.iterative_scan": "relaxed_order",
        // More probes than the limit would be a warning, and the limit then be raised.
        "ivfflat.max_probes": Math.max(scan.maxProbes, scan.probes),
      };
      return {
        ...ways,
        "ivfflat.probes": scan.probes,
        "hnsw.ef_search": MAX_EF_SEARCH,
        ...(options.iterative ? iterative : {}),
      };
    }
    case "diskann":
      return {
        ...ways,
        "diskann.query_search_list_size": scan.searchListSize,
        // Rows come in the order of their quantised vectors, but for so many that are put right by their whole ones.
        "diskann.query_rescore": Math.min(MAX_RESCORE, Math.max(scan.searchListSize, candidateLimit)),
        "hnsw.ef_search": MAX_EF_SEARCH,
        "ivfflat.probes": MAX_PROBES,
      };
  }
}

/** pgvector's default of hnsw.max_scan_tuples. */
const SCAN_TUPLES = 20_000;

/** vectorscale's limit of diskann.query_rescore. */
const MAX_RESCORE = 1000;

type SettingsQuery = Pick<
  ItemQuery,
  "scan" | "filter" | "sampledShare" | "candidateLimit" | "collection" | "projection"
>;

/** Every setting is a statement: joins are not spoken of where there are none. */
function joinsHits({ collection, projection }: Pick<ItemQuery, "collection" | "projection">): boolean {
  return (
    collection.kind === "images" || projection.vector || projection.document || projection.metadata !== "none"
  );
}

type Compared = Pick<ItemQuery, "collection" | "metric" | "vector">;

function distanceOperator({ collection, metric }: Omit<Compared, "vector">, vector: string): string {
  const { column, storage } = collection.layout.vector;
  if (storage === "json") throw new TypeError("vectors in JSON are not compared by PostgreSQL");
  return `${columnSql("vectors", column)} ${OPERATORS[metric]} ${vector}::${vectorParameterType(collection)}`;
}

/** What an index scan orders by, which has to be the expression of the index; nothing depends on a row but the column. */
function indexOrder({ collection, metric, scan }: Pick<ItemQuery, "collection" | "metric" | "scan">): string {
  const quantization = scan.method === "exact" ? "none" : scan.quantization;
  if (quantization === "none") return distanceOperator({ collection, metric }, "$1");
  const { dimensions, layout } = collection;
  const column = columnSql("vectors", layout.vector.column);
  const vector = `$1::${vectorParameterType(collection)}`;
  const length = positiveInteger(dimensions);
  if (quantization === "halfvec") {
    return `(${column}::halfvec(${length})) ${OPERATORS[metric]} (${vector}::halfvec(${length}))`;
  }
  return `(binary_quantize(${column})::bit(${length})) <~> (binary_quantize(${vector})::bit(${length}))`;
}

/** For the text of a statement. */
function positiveInteger(value: number): string {
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`no number of dimensions: ${value}`);
  return String(value);
}

/** The vector is always the first parameter. */
function distanceSql(query: Compared, parameter: Parameter, exact: boolean): string {
  const vector = parameter(vectorParameter(query.collection, query.vector));
  const operator = distanceOperator(query, vector);
  return exact ? `(${operator}) + 0` : operator;
}

/** Nearest first; equal ones by image, and by key. */
function orderOf(keyType: KeyType, images: boolean): (prefix: string) => string {
  const collation = keyType === "text" ? ' COLLATE "C"' : "";
  return (prefix) => `${prefix}distance, ${images ? `${prefix}image_id, ` : ""}${prefix}key${collation}`;
}

/** As orderOf, of the table: an expression in ORDER BY sees its columns, and not those that are selected. */
function exactOrder(layout: Layout, images: boolean): string {
  const key = `${keySql(layout)}${layout.key.type === "text" ? ' COLLATE "C"' : ""}`;
  return ["distance", ...(images ? [columnSql("vectors", IMAGE_ID_FIELD)] : []), key].join(", ");
}

function ungroupedHits(query: ItemQuery, order: (prefix: string) => string, parameter: Parameter): string {
  if (!countsCandidates(query)) return ", hits AS (SELECT * FROM candidates)";
  return `, hits AS (SELECT * FROM candidates ORDER BY ${order("")} LIMIT ${parameter(query.k)})`;
}

/** Groups are numbered in the order of their nearest items; those without the field are one group, as NULLs are one here. */
function groupedHits(query: ItemQuery, order: (prefix: string) => string, parameter: Parameter): string {
  const size = parameter(query.group?.size);
  return `, ranked AS (
      SELECT *, row_number() OVER (ORDER BY ${order("")}) AS rank,
             row_number() OVER (PARTITION BY "group" ORDER BY ${order("")}) AS rank_in_group
        FROM candidates
    ), kept AS (
      SELECT *, min(rank) OVER (PARTITION BY "group") AS first_rank FROM ranked WHERE rank_in_group <= ${size}
    ), placed AS (
      SELECT *, dense_rank() OVER (ORDER BY first_rank) AS place FROM kept
    ), hits AS (SELECT * FROM placed WHERE place <= ${parameter(query.k)})`;
}

/** Filters are conditions on the vectors' table; only what hits are grouped by may need the other one. */
function sourceSql(layout: Layout, grouping: { of: TableRole } | undefined): string {
  return `${tableSql(layout.vectors)} v ${grouping?.of === "items" ? itemsJoinSql(layout) : ""}`;
}

function whereSql(
  {
    collection,
    filter,
    excludedKeys,
    sampledShare,
  }: Pick<ItemQuery, "collection" | "filter" | "excludedKeys" | "sampledShare">,
  parameter: Parameter,
): string {
  const { layout } = collection;
  const conditions: string[] = [];
  if (filter) conditions.push(filterCondition(filter, layout, parameter));
  if (excludedKeys.length > 0)
    conditions.push(`${keySql(layout)} <> ALL (${parameter([...excludedKeys])}::${layout.key.type}[])`);
  if (sampledShare !== undefined) conditions.push(shareCondition(layout, sampledShare, parameter));
  return conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
}

const HASHES = 2n ** 64n;

/** Hashes are spread evenly over all 64-bit integers; those below so much of them pass. */
function shareCondition({ key }: Pick<Layout, "key">, share: number, parameter: Parameter): string {
  const below = (HASHES * BigInt(Math.round(share * 2 ** 32))) / 2n ** 32n - HASHES / 2n;
  const text = `(${columnSql("vectors", key.column)}::text COLLATE "C")`;
  return `hashtextextended(${text}, 0) < ${parameter(String(below))}::bigint`;
}
