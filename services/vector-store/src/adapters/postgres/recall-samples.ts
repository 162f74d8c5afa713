import type { Database } from "@kindred/postgres";
import { vectorBytes } from "../../domain/collection.ts";
import type { QuerySamples } from "../../domain/recall/recall-ports.ts";
import { estimateRows, bytesPerVector } from "./row-estimate.ts";
import { columnSql, tableSql } from "./sql.ts";
import { packedFromColumn, vectorSelectSql } from "./vector-columns.ts";

/** So many times as many rows are looked at as are wanted, since nobody knows how many come of a share. */
const SPARE = 3;
/** Tables with no more rows are read whole. */
const SMALL = 10_000;

/** Vectors of a collection's own table, and those that searches have left behind. */
export function querySamples(db: Database): QuerySamples {
  return {
    async stored(collection, count, limits) {
      const { layout, dimensions } = collection;
      const bytes = bytesPerVector({ layout, dimensions });
      const column = columnSql("vectors", layout.vector.column);
      return await db.transaction(
        async (client) => {
          const rows = await estimateRows(client, layout.vectors, bytes);
          const percent = (100 * SPARE * count) / Math.max(1, rows);
          // Neighbours on a page are often alike: every row is chosen by itself.
          const sampled = rows > SMALL && percent < 50 ? `TABLESAMPLE BERNOULLI (${percent.toFixed(6)})` : "";
          const read = async (sample: string): Promise<Buffer[]> => {
            const { rows: found } = await client.query<{ vector: Buffer }>(
              `SELECT ${vectorSelectSql(collection)} AS vector FROM ${tableSql(layout.vectors)} v ${sample}
                WHERE ${column} IS NOT NULL ORDER BY random() LIMIT $1`,
              [count],
            );
            return found.map(({ vector }) => vector);
          };
          const some = await read(sampled);
          const all = some.length < count && sampled !== "" ? await read("") : some;
          return all.map((vector) => packedFromColumn(collection, vector));
        },
        { ...limits, readOnly: true },
      );
    },

    async recent(collection, count, limits) {
      const { rows } = await db.statement<{ vector: Buffer }>(
        {
          text: `SELECT vector FROM recent_queries
                  WHERE collection = $1 AND space_id IS NOT DISTINCT FROM $2 AND length(vector) = $3
                  ORDER BY random() LIMIT $4`,
          values: [collection.name, collection.space?.id ?? null, vectorBytes(collection), count],
        },
        { ...limits, readOnly: true },
      );
      return rows.map(({ vector }) => vector);
    },
  };
}
