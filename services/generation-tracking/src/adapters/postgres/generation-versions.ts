import type { Database } from "@kindred/postgres";
import type { ReadVersions } from "../../domain/generation-watches.ts";

/** By xmin, the transaction that wrote the row as it is: each change is another one's. */
export function generationVersions(db: Pick<Database, "query">): ReadVersions {
  return async (ids) => {
    const { rows } = await db.query<{ id: string; version: string }>(
      "SELECT id, xmin::text AS version FROM generations WHERE id = ANY ($1::bigint[])",
      [ids.map(String)],
    );
    return new Map(rows.map((row) => [BigInt(row.id), row.version]));
  };
}
