import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@kindred/telemetry";
import { escapeIdentifier, type Client } from "pg";
import { sqlStateOf } from "./pg-errors.ts";

/** What concurrent DDL on the same catalogue rows runs into: both are over as soon as the other has committed. */
const CATALOGUE_RACES = new Set(["23505", "XX000"]);
const ATTEMPTS = 5;

/**
 * Creates the schema, and appends it to the database's own search_path, so that whoever connects by hand finds its
 * tables by their names. Tables in `public` keep winning there. A role that may do neither gets a log line.
 */
export async function prepareSchema(
  client: Client,
  options: { schema: string; logger: Logger },
): Promise<void> {
  const { schema, logger } = options;
  await retryRaces(async () => {
    const { rows } = await client.query("SELECT 1 FROM pg_namespace WHERE nspname = $1", [schema]);
    if (rows.length === 0) await client.query(`CREATE SCHEMA IF NOT EXISTS ${escapeIdentifier(schema)}`);
  });
  try {
    await retryRaces(() => alone(client, () => appendToSearchPath(client, schema)));
  } catch (error) {
    if (sqlStateOf(error) !== "42501") throw error;
    logger.info({ schema }, "this role may not change the database's search_path; connections set their own");
  }
}

/**
 * Lets one connection at a time read the setting and write it: of two that read the same, the later would undo the earlier's. Where
 * advisory locks exclude nobody, because all clients share one session, the open transaction does.
 */
async function alone(client: Client, work: () => Promise<void>): Promise<void> {
  await client.query("BEGIN");
  try {
    await client.query("SELECT pg_advisory_xact_lock(hashtextextended('kindred search_path', 0))");
    await work();
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  }
}

async function appendToSearchPath(client: Client, schema: string): Promise<void> {
  const { rows } = await client.query<{ database: string; settings: string[] | null }>(`
    SELECT d.datname AS database, s.setconfig AS settings
      FROM pg_database d LEFT JOIN pg_db_role_setting s ON s.setdatabase = d.oid AND s.setrole = 0
     WHERE d.datname = current_database()`);
  const current = rows[0]?.settings?.find((setting) => setting.startsWith("search_path="));
  const path = current?.slice("search_path=".length) ?? '"$user", public';
  const quoted = escapeIdentifier(schema);
  const names = path.split(",").map((name) => name.trim());
  if (names.includes(schema) || names.includes(quoted)) return;
  const database = escapeIdentifier(rows[0]?.database as string);
  await client.query(`ALTER DATABASE ${database} SET search_path = ${path}, ${quoted}`);
}

async function retryRaces(work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt === ATTEMPTS || !CATALOGUE_RACES.has(sqlStateOf(error) ?? "")) throw error;
      await sleep(20 * attempt);
    }
  }
}
