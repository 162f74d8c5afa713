import { escapeIdentifier, escapeLiteral } from "pg";
import { COLLECTION, type Collection } from "../../domain/collection.ts";
import type { Projection } from "../../domain/item.ts";
import type { Layout, TableRole } from "../../domain/layout.ts";
import { columnSql, keySql, tableSql, type Parameter } from "./sql.ts";
import { vectorSelectSql } from "./vector-columns.ts";

/** What is selected of hits besides their keys and distances. */
export interface HitColumns {
  columns: string[];
  /** What they are columns of. */
  tables: ReadonlySet<TableRole>;
  /** Behind `hits h`, whose key is that of the vectors' table. */
  joins: string;
}

/** The field of the images catalogue whose JSON is a hit's metadata. */
const IMAGE_METADATA = "metadata";

const IMAGE_COLUMNS = [
  "i.id",
  `i.image_path AS "imagePath"`,
  "i.description",
  "i.tags",
  "i.width",
  "i.height",
  `i.file_size_bytes AS "fileSizeBytes"`,
  "i.format",
  'i.source_dataset AS "sourceDataset"',
  `i.created_at AS "createdAt"`,
];

/** What the projection wants of hits, and of the images catalogue their images. Tables that nothing is wanted of are not joined. */
export function hitColumns(collection: Collection, projection: Projection, parameter: Parameter): HitColumns {
  const { layout } = collection;
  const columns: string[] = [];
  const tables = new Set<TableRole>();
  if (projection.vector) {
    tables.add("vectors");
    columns.push(`${vectorSelectSql(collection)} AS vector`);
  }
  if (projection.metadata !== "none") {
    const metadata = metadataSql(collection, projection.metadata, parameter);
    for (const role of metadata.of) tables.add(role);
    columns.push(`${metadata.sql} AS metadata`);
  }
  if (projection.document && layout.document) {
    tables.add(layout.document.of);
    // The images catalogue's own columns have the description already.
    columns.push(`${columnSql(layout.document.of, layout.document.column)} AS document`);
  }
  if (collection.kind === "images") {
    tables.add("items");
    columns.push(
      ...IMAGE_COLUMNS,
      // Of the same snapshot as the vectors: see requireSameSpace.
      `(SELECT c.space_id FROM collections c WHERE c.name = ${escapeLiteral(COLLECTION)}) AS "pinnedSpaceId"`,
      `(SELECT count(*) FROM ${tableSql(layout.vectors)} c WHERE c.image_id = i.id) AS "embeddingCount"`,
    );
  }
  return { columns, tables, joins: joinsSql(layout, tables) };
}

function joinsSql(layout: Layout, tables: ReadonlySet<TableRole>): string {
  const { items, key } = layout;
  const joinsItems = items !== undefined && tables.has("items");
  const byKey = items?.on === key.column;
  const joins: string[] = [];
  if (tables.has("vectors") || (joinsItems && !byKey))
    joins.push(`JOIN ${tableSql(layout.vectors)} v ON ${keySql(layout)} = h.key`);
  if (joinsItems) {
    const on = byKey ? "h.key" : columnSql("vectors", items.on);
    const join = items.complete ? "JOIN" : "LEFT JOIN";
    joins.push(`${join} ${tableSql(items.table)} i ON ${columnSql("items", items.column)} = ${on}`);
  }
  return joins.join(" ");
}

/** JSON of the wanted members, and the tables that it is made of. */
export function metadataSql(
  { kind, layout }: Pick<Collection, "kind" | "layout">,
  wanted: Exclude<Projection["metadata"], "none">,
  parameter: Parameter,
): { sql: string; of: TableRole[] } {
  const { fields } = layout;
  if (fields.kind === "columns" && kind !== "images") {
    const chosen = [...fields.columns].filter(([name]) => wanted === "all" || wanted.includes(name));
    if (chosen.length === 0) return { sql: "'{}'::jsonb", of: [] };
    const list = chosen.map(
      ([name, { of, column }]) => `${columnSql(of, column)} AS ${escapeIdentifier(name)}`,
    );
    // A function with a name and a value each takes 50 columns at most, a row any number.
    return {
      sql: `(SELECT to_jsonb(r) FROM (SELECT ${list.join(", ")}) r)`,
      of: chosen.map(([, { of }]) => of),
    };
  }
  const field = fields.kind === "json" ? fields : fields.columns.get(IMAGE_METADATA);
  if (!field) return { sql: "NULL::jsonb", of: [] };
  const json = columnSql(field.of, field.column);
  if (wanted === "all") return { sql: json, of: [field.of] };
  const sql = `(SELECT jsonb_object_agg(m.key, m.value)
                  FROM jsonb_each(CASE jsonb_typeof(${json}) WHEN 'object' THEN ${json} END) m
                 WHERE m.key = ANY (${parameter([...wanted])}::text[]))`;
  return { sql, of: [field.of] };
}
