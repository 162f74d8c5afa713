import { createHash } from "node:crypto";
import { sqlStateOf, type Database, type SingleStatement, type TransactionOptions } from "@kindred/postgres";
import type { QueryResultRow } from "pg";

/** Each session keeps the statements that were prepared in it until it ends: some 50 KiB of the server's memory each. */
const MAX_NAMED = 200;

/** A column has changed its type since the statement was prepared. */
const STALE_PLAN = "0A000";
/** The session is not the one in which it was prepared, or somebody else's, whatever it said when it began. */
const NOT_OURS = new Set(["26000", "42P05"]);

/** Runs statements whose texts come again and again. */
export interface PreparedStatements {
  /**
   * As Database.statement, prepared once in each session where that is possible.
   * @param planner names the settings that shape the plan: one text has a plan for each of them.
   */
  run<R extends QueryResultRow>(
    statement: Omit<SingleStatement, "name">,
    planner: string,
    options: TransactionOptions,
  ): Promise<{ rows: R[] }>;
}

/**
 * Statements are named by digests of their texts, the first two hundred texts of this process. Behind a pooler that
 * hides that it gives each transaction another session, they are not named any more as soon as that shows.
 */
export function preparedStatements(
  db: Pick<Database, "statement" | "capabilities">,
  maxNamed: number = MAX_NAMED,
): PreparedStatements {
  const names = new Map<string, string>();
  let generation = 0;
  let reliable = true;

  const nameOf = (text: string, planner: string): string | undefined => {
    if (!reliable || !db.capabilities.preparedStatements) return undefined;
    const key = `${planner}\n${text}`;
    const known = names.get(key);
    if (known !== undefined || names.size >= maxNamed) return known;
    const digest = createHash("sha256").update(`${generation}\n${key}`).digest("base64url").slice(0, 22);
    const name = `kindred_${digest}`;
    names.set(key, name);
    return name;
  };

  return {
    async run<R extends QueryResultRow>(
      statement: Omit<SingleStatement, "name">,
      planner: string,
      options: TransactionOptions,
    ) {
      const name = nameOf(statement.text, planner);
      if (name === undefined) return await db.statement<R>(statement, options);
      try {
        return await db.statement<R>({ ...statement, name }, options);
      } catch (error) {
        const state = sqlStateOf(error);
        if (state !== STALE_PLAN && !NOT_OURS.has(state ?? "")) throw error;
        if (NOT_OURS.has(state ?? "")) reliable = false;
        generation++;
        names.clear();
        return await db.statement<R>(statement, options);
      }
    },
  };
}
