import { KindredError } from "@kindred/errors";
import { escapeIdentifier, type PoolClient } from "pg";
import { vectorBytes, type Collection } from "../../domain/collection.ts";
import type { TableName } from "../../domain/layout.ts";
import { tableSql } from "./sql.ts";
import { documentVectorSql } from "./text-search-statement.ts";

/** A vector of up to so many bytes stays in its row: the rest of the page is for the key and the headers. */
const MAX_PLAIN_BYTES = 7000;

/**
 * Makes the tables of a managed collection. What changes often is in a table of its own, whose rows are there only for items that have
 * metadata or a document. No foreign key: its trigger would fire for each row of a load. That table is never partitioned: it has no
 * index whose build needs memory for all of it.
 */
export async function createTables(
  client: PoolClient,
  collection: VectorsShape & Pick<Collection, "textSearchConfig">,
  vectorSchema: string | undefined,
): Promise<void> {
  const { items } = tablesOf(collection);
  await createVectorsTable(client, collection, vectorSchema);
  await client.query(`
    CREATE TABLE ${tableSql(items)} (
      key TEXT COLLATE "C" PRIMARY KEY,
      metadata JSONB NOT NULL DEFAULT '{}',
      document TEXT
    )`);
  const index = (suffix: string): string => escapeIdentifier(`${items.name}_${suffix}`);
  await client.query(
    `CREATE INDEX ${index("metadata_idx")} ON ${tableSql(items)} USING gin (metadata jsonb_path_ops)`,
  );
  if (collection.textSearchConfig !== undefined) {
    const words = documentVectorSql("document", collection.textSearchConfig);
    await client.query(`CREATE INDEX ${index("document_idx")} ON ${tableSql(items)} USING gin (${words})`);
  }
}

/** What the vectors' table follows from. */
export type VectorsShape = ColumnShape & Pick<Collection, "hashPartitions">;

/** Makes the table `layout.vectors` of a managed collection, with its partitions: its first one, or that of another generation. */
export async function createVectorsTable(
  client: PoolClient,
  shape: VectorsShape,
  vectorSchema: string | undefined,
): Promise<void> {
  const { vectors } = shape.layout;
  const { hashPartitions } = shape;
  await client.query(`
    CREATE TABLE ${tableSql(vectors)} (
      key TEXT COLLATE "C" PRIMARY KEY,
      embedding ${columnType(shape, vectorSchema)} NOT NULL,
      updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
    )${hashPartitions === undefined ? "" : " PARTITION BY HASH (key)"}`);
  if (hashPartitions !== undefined) {
    const partitions = Array.from(
      { length: hashPartitions },
      (_, i) =>
        `CREATE TABLE ${tableSql({ ...vectors, name: `${vectors.name}_p${i}` })} PARTITION OF ${tableSql(vectors)} ` +
        `FOR VALUES WITH (MODULUS ${hashPartitions}, REMAINDER ${i})`,
    );
    // In one round trip.
    await client.query(partitions.join(";\n"));
  }
  // Statistics of vectors serve no plan, and gathering them is slow. Both settings go on to the partitions that are there.
  const plain =
    shape.layout.vector.storage !== "json" && isPlain(shape)
      ? "ALTER COLUMN embedding SET STORAGE PLAIN, "
      : "";
  await client.query(`ALTER TABLE ${tableSql(vectors)} ${plain}ALTER COLUMN embedding SET STATISTICS 0`);
}

/** Drops them, and counts the vectors that go: after the lock, so that none is added in between. Where they are gone, there is nothing to do. */
export async function dropTables(
  client: PoolClient,
  collection: Pick<Collection, "layout">,
): Promise<bigint> {
  const { vectors, items } = tablesOf(collection);
  const { rows } = await client.query<{ there: boolean }>("SELECT to_regclass($1) IS NOT NULL AS there", [
    tableSql(vectors),
  ]);
  let count = "0";
  if (rows[0]?.there) {
    await client.query(`LOCK TABLE ${tableSql(vectors)} IN ACCESS EXCLUSIVE MODE`);
    const counted = await client.query<{ count: string }>(
      `SELECT count(*) AS count FROM ${tableSql(vectors)}`,
    );
    count = counted.rows[0]?.count ?? count;
  }
  const all = [vectors, items, ...(await otherGenerations(client, vectors))];
  await client.query(`DROP TABLE IF EXISTS ${all.map(tableSql).join(", ")}`);
  return BigInt(count);
}

/** Tables of the same vectors in another embedding space, while the collection moves there. */
async function otherGenerations(client: PoolClient, { schema, name }: TableName): Promise<TableName[]> {
  const base = name.replace(/_vectors_\d+$/, "_vectors");
  const { rows } = await client.query<TableName>(
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND c.relname <> $2 AND c.relname ~ ('^' || $3 || '(_\\d+)?$')`,
    [schema, name, base],
  );
  return rows;
}

function tablesOf({ layout }: Pick<Collection, "layout">): { vectors: TableName; items: TableName } {
  if (!layout.items) throw new TypeError("a managed collection has two tables");
  return { vectors: layout.vectors, items: layout.items.table };
}

type ColumnShape = Pick<Collection, "layout" | "dimensions" | "elementType">;

function columnType({ layout, dimensions }: ColumnShape, vectorSchema: string | undefined): string {
  const { storage } = layout.vector;
  switch (storage) {
    case "json":
      return "JSONB";
    case "bit":
    case "vector":
    case "halfvec":
      return vectorTypeSql({ elementType: storage, dimensions }, vectorSchema);
  }
}

type VectorShape = Pick<Collection, "dimensions" | "elementType">;

/** The type of a column of vectors. */
export function vectorTypeSql(
  { elementType, dimensions }: VectorShape,
  vectorSchema: string | undefined,
): string {
  if (elementType === "bit") return `BIT(${dimensions})`;
  if (vectorSchema === undefined) throw new KindredError("internal", `there is no type ${elementType}`);
  return `${escapeIdentifier(vectorSchema)}.${elementType}(${dimensions})`;
}

/** Whether vectors stay in their rows; JSON is longer than the vector, and compressed. */
function isPlain(shape: VectorShape): boolean {
  return storedBytes(shape) <= MAX_PLAIN_BYTES;
}

/** Bytes of a vector in its row, without its header. */
export function storedBytes(shape: VectorShape): number {
  return shape.elementType === "halfvec" ? 2 * shape.dimensions : vectorBytes(shape);
}
