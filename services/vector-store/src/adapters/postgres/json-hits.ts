import type { Collection } from "../../domain/collection.ts";
import type { FieldPath } from "../../domain/filter.ts";
import type { GroupValue, Projection } from "../../domain/item.ts";
import type { ItemHit } from "../../domain/item-ports.ts";
import type { ImageRow } from "./entities.ts";
import { groupExpression } from "./filter-condition.ts";
import { hitColumns } from "./hit-columns.ts";
import { toImage, toMetadata } from "./image-rows.ts";
import type { Queryable } from "./json-vectors.ts";
import { columnSql, itemsJoinSql, keySql, startStatement, tableSql } from "./sql.ts";

/** What a hit is besides its key and distance. The vector is JSON text. */
export interface HitParts extends Pick<ItemHit, "metadata" | "document" | "image"> {
  vector: string | undefined;
}

interface HitRow extends ImageRow {
  key: string;
  vector?: string;
  metadata?: unknown;
  document?: string | null;
}

/** The value by which each of these items is grouped, by key; items that have none are not there. */
export async function groupValues(
  client: Queryable,
  { layout }: Pick<Collection, "layout">,
  path: FieldPath,
  keys: readonly string[],
): Promise<ReadonlyMap<string, NonNullable<GroupValue>>> {
  const { values, parameter } = startStatement();
  const group = groupExpression(path, layout, parameter);
  const { rows } = await client.query(
    `SELECT ${keySql(layout)}::text AS key, ${group.sql} AS value
       FROM ${tableSql(layout.vectors)} v ${group.of === "items" ? itemsJoinSql(layout) : ""}
      WHERE ${keySql(layout)} = ANY (${parameter([...keys])}::${layout.key.type}[])`,
    values,
  );
  const found = new Map<string, NonNullable<GroupValue>>();
  for (const { key, value } of rows as { key: string; value: unknown }[]) {
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean")
      found.set(key, value);
  }
  return found;
}

/** What the projection wants of these items, by key; those that are not there are left out. */
export async function hitParts(
  client: Queryable,
  collection: Collection,
  projection: Projection,
  keys: readonly string[],
): Promise<ReadonlyMap<string, HitParts>> {
  const { layout } = collection;
  const { values, parameter } = startStatement();
  const wanted = hitColumns(collection, { ...projection, vector: false }, parameter);
  const vector = `, ${columnSql("vectors", layout.vector.column)}::text AS vector`;
  const { rows } = await client.query(
    `WITH hits AS MATERIALIZED (
       SELECT ${keySql(layout)} AS key${projection.vector ? vector : ""} FROM ${tableSql(layout.vectors)} v
        WHERE ${keySql(layout)} = ANY (${parameter([...keys])}::${layout.key.type}[])
     )
     SELECT ${["h.key::text AS key", ...(projection.vector ? ["h.vector"] : []), ...wanted.columns].join(", ")}
       FROM hits h ${wanted.joins}`,
    values,
  );
  const images = collection.kind === "images";
  return new Map(
    (rows as HitRow[]).map((row) => [
      row.key,
      {
        vector: row.vector,
        // An item without a row of metadata has empty ones; an image's embedding may have none.
        metadata:
          projection.metadata === "none"
            ? undefined
            : (toMetadata(row.metadata) ?? (images ? undefined : {})),
        document: row.document ?? undefined,
        image: images ? toImage(row) : undefined,
      },
    ]),
  );
}
