import type { Collection } from "../../../domain/collection.ts";
import { baseName, ownNames } from "../../../domain/indexes/index-names.ts";
import type { KnownIndex } from "../../../domain/indexes/index-upkeep.ts";
import { vectorIndexes } from "../index-catalogue.ts";

interface Queryable {
  query(sql: string, params: unknown[]): Promise<{ rows: unknown[] }>;
}

/** The indexes of the collection's vectors, by name, and whose they are. */
export async function knownIndexes(db: Queryable, collection: Collection): Promise<KnownIndex[]> {
  const { layout } = collection;
  const indexes = await vectorIndexes(db, layout.vectors);
  const ours = indexes.filter(({ column }) => column === layout.vector.column);
  const { rows } = await db.query(
    `SELECT DISTINCT ON (index_oid) index_oid::float8 AS oid, rows::float8 AS rows, built_at AS at
       FROM index_builds WHERE collection = $1 AND index_oid = ANY ($2::bigint[])
      ORDER BY index_oid, id DESC`,
    [collection.name, ours.map(({ oid }) => oid)],
  );
  const builds = new Map(
    (rows as { oid: number; rows: number; at: Date }[]).map(({ oid, ...built }) => [oid, built]),
  );
  return ours.map((index) => {
    const built = builds.get(index.oid);
    return { ...index, built, owned: built !== undefined || isOwnByName(collection, index.name) };
  });
}

/**
 * In tables that the store made, its names are nobody else's: also of indexes that it built before it kept records of them. In a
 * user's table they may be the user's.
 */
export function isOwnByName({ kind, layout, elementType }: Collection, name: string): boolean {
  return kind !== "registered" && ownNames(layout, elementType).has(baseName(name));
}
