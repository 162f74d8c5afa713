import type { Database } from "@kindred/postgres";
import { escapeIdentifier, type PoolClient } from "pg";
import type { Collection } from "../../../domain/collection.ts";
import type { PackedVector } from "../../../domain/packed-vector.ts";
import type {
  ItemText,
  LoggedChanges,
  NewVector,
  SpaceMove,
  Textless,
} from "../../../domain/reembedding/reembedding-ports.ts";
import { rowColumn } from "../binary-rows.ts";
import { keyArray } from "../item-keys.ts";
import { KEY_TYPES } from "../key-types.ts";
import { columnSql, itemsJoinSql, keySql, orderedSql, tableSql } from "../sql.ts";
import { packedFromColumn, vectorSelectSql, vectorType } from "../vector-columns.ts";
import { rowSource } from "../write-rows.ts";

/** Items by which a message names what is wrong. */
const MOST_NAMED = 5;

type Client = Pick<PoolClient, "query">;

/** The text that stands for an item of `vectors v` with `items i`: NULL where there is none. An image's is the one that was embedded, else its description. */
function textSql({ kind, layout }: Collection): string {
  const document = layout.document ? columnSql(layout.document.of, layout.document.column) : "NULL";
  const texts = [`NULLIF(${document}, '')`];
  if (kind === "images") texts.unshift("NULLIF(v.embedding_metadata ->> 'text', '')");
  return `COALESCE(${texts.join(", ")})`;
}

function fromSql({ layout }: Collection): string {
  return `${tableSql(layout.vectors)} v ${itemsJoinSql(layout)}`;
}

/** @returns how many items have no text, and the first few of them */
export async function textlessItems(client: Client, collection: Collection): Promise<Textless> {
  const { layout } = collection;
  const source = `${fromSql(collection)} WHERE ${textSql(collection)} IS NULL`;
  const counted = await client.query<{ count: string }>(`SELECT count(*) AS count FROM ${source}`);
  const count = Number(counted.rows[0]?.count ?? 0);
  if (count === 0) return { count, keys: [] };
  const order = orderedSql(keySql(layout), layout.key.type);
  const { rows } = await client.query<{ key: string }>(
    `SELECT ${keySql(layout)}::text AS key FROM ${source} ORDER BY ${order} LIMIT ${MOST_NAMED}`,
  );
  return { count, keys: rows.map(({ key }) => key) };
}

/** Items behind `afterKey`, by ascending key. */
export async function itemPage(
  client: Client,
  { from }: SpaceMove,
  afterKey: string | undefined,
  limit: number,
): Promise<ItemText[]> {
  const { key } = from.layout;
  const column = orderedSql(keySql(from.layout), key.type);
  const behind = afterKey === undefined ? "" : `WHERE ${column} > $2::${key.type}`;
  const { rows } = await client.query<{ key: string; text: string | null }>(
    `SELECT ${keySql(from.layout)}::text AS key, ${textSql(from)} AS text FROM ${fromSql(from)} ${behind}
      ORDER BY ${column} LIMIT $1`,
    afterKey === undefined ? [limit] : [limit, afterKey],
  );
  return rows.map(toItemText);
}

/** The items of the keys that are there. */
export async function textsOfKeys(
  client: Client,
  { from }: SpaceMove,
  keys: readonly string[],
): Promise<ItemText[]> {
  if (keys.length === 0) return [];
  const { rows } = await client.query<{ key: string; text: string | null }>(
    `SELECT ${keySql(from.layout)}::text AS key, ${textSql(from)} AS text FROM ${fromSql(from)}
      WHERE ${keySql(from.layout)} = ANY ($1::${from.layout.key.type}[])`,
    [keyArray(from.layout, keys)],
  );
  return rows.map(toItemText);
}

const toItemText = (row: { key: string; text: string | null }): ItemText => ({
  key: row.key,
  text: row.text ?? undefined,
});

/**
 * Stores vectors in the new table, whose other columns are those of the old one as they are now. Items that are gone are left out.
 * In a transaction that may call it once.
 */
export async function writeVectors(
  client: PoolClient,
  db: Pick<Database, "capabilities">,
  { from, to }: SpaceMove,
  vectors: readonly NewVector[],
): Promise<void> {
  if (vectors.length === 0) return;
  const { layout } = to;
  if (from.kind === "images") {
    await holdImages(
      client,
      from,
      vectors.map(({ key }) => key),
    );
  }
  const at = (row: number): NewVector => vectors[row] as NewVector;
  const source = await rowSource(client, db.capabilities, {
    count: vectors.length,
    columns: [
      rowColumn(layout.key.column, KEY_TYPES[layout.key.type], (row) => at(row).key),
      rowColumn(layout.vector.column, vectorType(to), (row) => at(row).vector),
    ],
  });
  const columns = await writtenColumns(client, to);
  const values = columns.map((column) => {
    if (column === layout.vector.column) return `r.${escapeIdentifier(column)}`;
    if (from.kind === "images" && column === "space_id") return `$${source.values.length + 1}`;
    return columnSql("vectors", column);
  });
  const names = columns.map((column) => escapeIdentifier(column));
  const key = escapeIdentifier(layout.key.column);
  const others = names.filter((name) => name !== key);
  await client.query(
    `INSERT INTO ${tableSql(layout.vectors)} (${names.join(", ")})
     SELECT ${values.join(", ")} FROM ${source.from("r")} JOIN ${tableSql(from.layout.vectors)} v ON v.${key} = r.${key}
      ORDER BY ${orderedSql(`v.${key}`, layout.key.type)}
     ON CONFLICT (${key}) DO UPDATE SET ${others.map((name) => `${name} = excluded.${name}`).join(", ")}`,
    [...source.values, ...(from.kind === "images" ? [to.space?.id] : [])],
  );
}

/**
 * Keeps images from being deleted until the end of the transaction. Otherwise one that goes between a statement's snapshot and its check of the
 * foreign key would be seen by the one and missed by the other. Those that are being deleted are waited for.
 */
async function holdImages(client: Client, { layout }: Collection, keys: readonly string[]): Promise<void> {
  await client.query(
    `SELECT FROM ${tableSql(layout.vectors)} v ${itemsJoinSql(layout)} WHERE ${keySql(layout)} = ANY ($1::${layout.key.type}[])
      ORDER BY ${columnSql("items", layout.items?.column as string)} FOR KEY SHARE OF i`,
    [keyArray(layout, keys)],
  );
}

/** Columns that are written and not computed, in their order in the table. */
async function writtenColumns(client: Client, { layout }: Collection): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT attname AS name FROM pg_attribute
      WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`,
    [tableSql(layout.vectors)],
  );
  return rows.map(({ name }) => name);
}

/** Puts keys on the log: what they are about is looked at again. */
export async function noteKeys(client: Client, { from }: SpaceMove, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  await client.query(
    "INSERT INTO reembedding_changes (collection, key) SELECT $1, key FROM unnest($2::text[]) AS k (key)",
    [from.name, [...keys]],
  );
}

/** Changes behind the position, by it. */
export async function loggedChanges(
  client: Client,
  { from }: SpaceMove,
  afterId: bigint,
  limit: number,
): Promise<LoggedChanges> {
  const { rows } = await client.query<{ id: string; key: string | null }>(
    "SELECT id, key FROM reembedding_changes WHERE collection = $1 AND id > $2 ORDER BY id LIMIT $3",
    [from.name, String(afterId), limit],
  );
  return {
    ids: rows.map(({ id }) => BigInt(id)),
    keys: [...new Set(rows.flatMap(({ key }) => key ?? []))],
    emptied: rows.some(({ key }) => key === null),
  };
}

/**
 * Brings the new table up to date with changes: what is gone from the old one goes, the rest gets its vector. The log keeps those of
 * items that are there without a text.
 */
export async function settleChanges(
  client: PoolClient,
  db: Pick<Database, "capabilities">,
  move: SpaceMove,
  changes: LoggedChanges,
  vectors: readonly NewVector[],
): Promise<void> {
  const { from, to } = move;
  const key = escapeIdentifier(to.layout.key.column);
  const gone = `NOT EXISTS (SELECT FROM ${tableSql(from.layout.vectors)} v WHERE v.${key} = n.${key})`;
  const moved = new Set(vectors.map((each) => each.key));
  const others = changes.keys.filter((each) => !moved.has(each));
  const among = changes.emptied ? "" : `n.${key} = ANY ($1::${to.layout.key.type}[]) AND`;
  await client.query(
    `DELETE FROM ${tableSql(to.layout.vectors)} n WHERE ${among} ${gone}`,
    changes.emptied ? [] : [keyArray(to.layout, changes.keys)],
  );
  await writeVectors(client, db, move, vectors);
  // Those that were neither moved nor are gone have no text, and stay on the log until they have one.
  const remaining = new Set((await textsOfKeys(client, move, others)).map((item) => item.key));
  await client.query(
    "DELETE FROM reembedding_changes WHERE id = ANY ($1::bigint[]) AND (key IS NULL OR key <> ALL ($2::text[]))",
    [changes.ids.map(String), [...remaining]],
  );
}

/** Keys that are in one of the tables only, and whose change is not on the log: there should be none. */
export async function differingKeys(client: Client, { from, to }: SpaceMove): Promise<string[]> {
  const key = escapeIdentifier(to.layout.key.column);
  const [old, next] = [tableSql(from.layout.vectors), tableSql(to.layout.vectors)];
  const only = (one: string, other: string): string =>
    `(SELECT a.${key}::text AS key FROM ${one} a
       WHERE NOT EXISTS (SELECT FROM ${other} b WHERE b.${key} = a.${key})
         AND NOT EXISTS (SELECT FROM reembedding_changes c
                          WHERE c.collection = $1 AND (c.key IS NULL OR c.key = a.${key}::text))
       LIMIT ${MOST_NAMED})`;
  const { rows } = await client.query<{ key: string }>(`${only(old, next)} UNION ALL ${only(next, old)}`, [
    from.name,
  ]);
  return rows.map((row) => row.key);
}

/** Items of the new table with the text of the old one, whose change is not on the log. */
export async function sampleItems(
  client: Client,
  { from, to }: SpaceMove,
  count: number,
): Promise<(ItemText & { vector: PackedVector })[]> {
  const key = escapeIdentifier(to.layout.key.column);
  const vector = vectorSelectSql(to).replace("v.", "n.");
  const { rows } = await client.query<{ key: string; text: string; vector: Buffer }>(
    `SELECT v.${key}::text AS key, ${textSql(from)} AS text, ${vector} AS vector
       FROM (SELECT * FROM ${tableSql(to.layout.vectors)} ORDER BY random() LIMIT $2) n
       JOIN ${tableSql(from.layout.vectors)} v ON v.${key} = n.${key} ${itemsJoinSql(from.layout)}
      WHERE ${textSql(from)} IS NOT NULL AND NOT EXISTS (
        SELECT FROM reembedding_changes c WHERE c.collection = $1 AND (c.key IS NULL OR c.key = v.${key}::text))`,
    [from.name, count],
  );
  return rows.map((row) => ({ key: row.key, text: row.text, vector: packedFromColumn(to, row.vector) }));
}
