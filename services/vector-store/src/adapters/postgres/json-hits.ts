import { COLLECTION, type Collection } from "../../domain/collection.ts";
import type { FieldPath } from "../../domain/filter.ts";
import type { Image } from "../../domain/image.ts";
import type { GroupValue, Projection } from "../../domain/item.ts";
import type { ItemHit } from "../../domain/item-ports.ts";
import type { Layout } from "../../domain/layout.ts";
import type { ImageRow } from "./entities.ts";
import { toImage, toMetadata } from "./image-rows.ts";
import type { Queryable } from "./json-vectors.ts";
import { columnSql, itemsJoinSql, keySql, startStatement, tableSql, type Parameter } from "./sql.ts";

/** What a hit is besides its key and distance. The vector is JSON text. */
export interface HitParts extends Pick<ItemHit, "metadata" | "document" | "image"> {
  vector: string | undefined;
}

/** JSON of the field at the path; NULL where there is none. Members are named by parameters. */
function fieldJson({ fields }: Layout, path: FieldPath, parameter: Parameter): string {
  if (fields.kind === "json")
    return `${columnSql(fields.of, fields.column)} #> ${parameter([...path])}::text[]`;
  const [name, ...inside] = path;
  const field = fields.columns.get(name as string);
  if (!field) return "NULL::jsonb";
  const json = `to_jsonb(${columnSql(field.of, field.column)})`;
  return inside.length > 0 ? `${json} #> ${parameter(inside)}::text[]` : json;
}

/** The value by which each of these items is grouped, by key; items that have none are not there. */
export async function groupValues(
  client: Queryable,
  { layout }: Pick<Collection, "layout">,
  path: FieldPath,
  keys: readonly string[],
): Promise<ReadonlyMap<string, NonNullable<GroupValue>>> {
  const { values, parameter } = startStatement();
  const { rows } = await client.query(
    `SELECT ${keySql(layout)}::text AS key, ${fieldJson(layout, path, parameter)} AS value
       FROM ${tableSql(layout.vectors)} v ${itemsJoinSql(layout)}
      WHERE ${keySql(layout)} = ANY (${parameter([...keys])}::${layout.key.type}[])`,
    values,
  );
  const found = rows as { key: string; value: unknown }[];
  return new Map(
    found.flatMap(({ key, value }) =>
      typeof value === "string" || typeof value === "number" || typeof value === "boolean"
        ? [[key, value]]
        : [],
    ),
  );
}

const IMAGE_COLUMNS = `i.id, i.image_path AS "imagePath", i.description, i.tags, i.width, i.height,
  i.file_size_bytes AS "fileSizeBytes", i.format, i.source_dataset AS "sourceDataset", i.created_at AS "createdAt",
  (SELECT count(*) FROM %EMBEDDINGS% c WHERE c.image_id = i.id) AS "embeddingCount"`;

interface HitRow extends ImageRow {
  key: string;
  vector: string | null;
  metadata: unknown;
  document: string | null;
}

/** What the projection wants of these items, by key; those that are not there are left out. */
export async function hitParts(
  client: Queryable,
  collection: Pick<Collection, "name" | "layout">,
  projection: Projection,
  keys: readonly string[],
): Promise<ReadonlyMap<string, HitParts>> {
  const { layout, name } = collection;
  const { values, parameter } = startStatement();
  const images = name === COLLECTION;
  const columns = [`${keySql(layout)}::text AS key`];
  if (projection.vector) columns.push(`${columnSql("vectors", layout.vector.column)}::text AS vector`);
  if (projection.metadata !== "none")
    columns.push(`${metadataJson(layout, projection.metadata, parameter)} AS metadata`);
  if (projection.document && layout.document)
    columns.push(`${columnSql(layout.document.of, layout.document.column)} AS document`);
  if (images) columns.push(IMAGE_COLUMNS.replace("%EMBEDDINGS%", tableSql(layout.vectors)));
  const { rows } = await client.query(
    `SELECT ${columns.join(", ")} FROM ${tableSql(layout.vectors)} v ${itemsJoinSql(layout)}
      WHERE ${keySql(layout)} = ANY (${parameter([...keys])}::${layout.key.type}[])`,
    values,
  );
  return new Map(
    (rows as HitRow[]).map((row) => [
      row.key,
      {
        vector: row.vector ?? undefined,
        // An item without a row of metadata has empty ones.
        metadata:
          projection.metadata === "none"
            ? undefined
            : (toMetadata(row.metadata) ?? (images ? undefined : {})),
        document: row.document ?? undefined,
        image: images ? (toImage(row) satisfies Image) : undefined,
      },
    ]),
  );
}

/** The members that are wanted of an item's metadata: of the images catalogue, those of the embedding. */
function metadataJson(
  { fields }: Layout,
  wanted: Exclude<Projection["metadata"], "none">,
  parameter: Parameter,
): string {
  const field = fields.kind === "json" ? fields : fields.columns.get("metadata");
  if (!field) return "NULL::jsonb";
  const json = columnSql(field.of, field.column);
  if (wanted === "all") return json;
  return `(SELECT jsonb_object_agg(m.key, m.value)
             FROM jsonb_each(CASE jsonb_typeof(${json}) WHEN 'object' THEN ${json} END) m
            WHERE m.key = ANY (${parameter([...wanted])}::text[]))`;
}
