import { databaseUsage, type Database, type DatabaseUsage } from "@kindred/postgres";
import type { CallLimits } from "../../domain/ports.ts";

/** What the service's schema takes, with the tables of others that are registered as collections. */
export function usageReader(db: Database): (limits: CallLimits) => Promise<DatabaseUsage> {
  return async (limits) => {
    const { rows } = await db.statement<{ schema: string; name: string }>(
      {
        text: `SELECT table_schema AS schema, table_name AS name FROM collections WHERE kind = 'registered'`,
        values: [],
      },
      { ...limits, readOnly: true },
    );
    return await databaseUsage(db, { ...limits, others: rows });
  };
}
