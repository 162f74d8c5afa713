import type { Collection } from "../../domain/collection.ts";
import type { Filter } from "../../domain/filter.ts";
import type { Item, Projection } from "../../domain/item.ts";
import type { TableRole } from "../../domain/layout.ts";
import { filterCondition } from "./filter-condition.ts";
import { metadataSql } from "./hit-columns.ts";
import { toMetadata } from "./image-rows.ts";
import { keyArray } from "./item-keys.ts";
import {
  columnSql,
  itemsJoinSql,
  keySql,
  orderedSql,
  startStatement,
  tableSql,
  type Parameter,
  type Statement,
} from "./sql.ts";
import { packedFromColumn, vectorSelectSql } from "./vector-columns.ts";

/** An item's row, as the statements here select it. */
export interface ItemColumns {
  key: string;
  /** Null in a user's table only. */
  vector?: Buffer | null;
  metadata?: unknown;
  document?: string | null;
  updatedAt?: Date;
}

export interface ListQuery {
  filter: Filter | undefined;
  afterKey: string | undefined;
  /** Undefined: all of them. */
  limit: number | undefined;
  projection: Projection;
}

/** Items by key, in any order. */
export function getStatement(
  collection: Collection,
  keys: readonly string[],
  projection: Projection,
): Statement {
  const { values, parameter } = startStatement();
  const { layout } = collection;
  const wanted = `${keySql(layout)} = ANY (${parameter(keyArray(layout, keys))}::${layout.key.type}[])`;
  return { text: `${selectSql(collection, projection, parameter)} WHERE ${wanted}`, values };
}

/** Items by ascending key. */
export function listStatement(collection: Collection, query: ListQuery): Statement {
  const { values, parameter } = startStatement();
  const { layout } = collection;
  const { filter, afterKey, limit, projection } = query;
  const key = orderedSql(keySql(layout), layout.key.type);
  const select = selectSql(collection, projection, parameter);
  const conditions: string[] = [];
  if (filter) conditions.push(filterCondition(filter, layout, parameter, "filter"));
  if (afterKey !== undefined) conditions.push(`${key} > ${parameter(afterKey)}::${layout.key.type}`);
  const where = conditions.length > 0 ? `WHERE ${conditions.join(" AND ")}` : "";
  const bound = limit === undefined ? "" : `LIMIT ${parameter(limit)}`;
  return { text: `${select} ${where} ORDER BY ${key} ${bound}`, values };
}

function selectSql(collection: Collection, projection: Projection, parameter: Parameter): string {
  const { layout } = collection;
  const tables = new Set<TableRole>();
  const columns = [`${keySql(layout)}::text AS key`];
  if (projection.vector) columns.push(`${vectorSelectSql(collection)} AS vector`);
  if (projection.metadata !== "none") {
    const metadata = metadataSql(collection, projection.metadata, parameter);
    for (const role of metadata.of) tables.add(role);
    columns.push(`${metadata.sql} AS metadata`);
  }
  if (projection.document && layout.document) {
    tables.add(layout.document.of);
    columns.push(`${columnSql(layout.document.of, layout.document.column)} AS document`);
  }
  if (layout.updatedAt !== undefined)
    columns.push(`${columnSql("vectors", layout.updatedAt)} AS "updatedAt"`);
  const join = tables.has("items") ? itemsJoinSql(layout) : "";
  return `SELECT ${columns.join(", ")} FROM ${tableSql(layout.vectors)} v ${join}`;
}

export function toItem(collection: Collection, projection: Projection, row: ItemColumns): Item {
  return {
    key: row.key,
    vector: row.vector ? packedFromColumn(collection, row.vector) : undefined,
    metadata: projection.metadata === "none" ? undefined : (toMetadata(row.metadata) ?? {}),
    document: row.document || undefined,
    updatedAt: row.updatedAt,
  };
}
