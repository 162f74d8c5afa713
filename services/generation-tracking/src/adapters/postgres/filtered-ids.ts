import type { Database } from "@kindred/postgres";
import type { FilteredIds } from "../../domain/prompts/search-prompts.ts";
import { filterCondition } from "./generation-filter.ts";
import { sqlParameters } from "./sql-parameters.ts";

/** Ids of generations over this service's schema. The database stays the caller's. */
export function filteredIds(db: Pick<Database, "statement">): FilteredIds {
  return {
    async passing(filter, limit, among, limits) {
      const parameters = sqlParameters();
      const passes = filterCondition(filter, parameters);
      const inside =
        among === undefined ? "true" : `id = ANY (${parameters.add(among.map(String))}::bigint[])`;
      const { rows } = await db.statement<{ id: string }>(
        {
          text: `SELECT id FROM generations WHERE ${inside} AND ${passes} LIMIT ${parameters.add(limit)}`,
          values: parameters.values,
        },
        { readOnly: true, ...limits },
      );
      return rows.map((row) => BigInt(row.id));
    },
  };
}
