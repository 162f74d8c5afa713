import { compareVersions, type Database, type ServerCapabilities } from "@kindred/postgres";
import { KNOWN_TABLES } from "./known-tables.ts";

/** One thing that was looked at. */
export interface Check {
  name: string;
  /** "warning" does not make the command fail. */
  outcome: "ok" | "warning" | "failed";
  detail: string;
}

/** From 0.8.4 on, VACUUM and HNSW get along; see pgvector's changelog. */
const SOUND_PGVECTOR = "0.8.4";

/** Looks at the server, pgvector, the tables with their columns and rows, and the indexes. Changes nothing. */
export async function verifyDatabase(database: Database): Promise<Check[]> {
  return [
    { name: "server", outcome: "ok", detail: `PostgreSQL ${database.capabilities.serverVersion}` },
    checkVector(database.capabilities),
    { name: "abilities", outcome: "ok", detail: describeAbilities(database.capabilities) },
    ...(await checkTables(database)),
    await checkSearchPath(database),
    await checkIndexes(database),
  ];
}

function checkVector({ vector, vectorAvailable, concurrentSessions }: ServerCapabilities): Check {
  const name = "pgvector";
  if (!vector) {
    const detail =
      vectorAvailable === undefined
        ? "the server does not have it: install it on the server"
        : `${vectorAvailable} is available, but not created in this database: kindred db setup`;
    return { name, outcome: "failed", detail };
  }
  if (concurrentSessions && compareVersions(vector.version, SOUND_PGVECTOR) < 0) {
    const detail = `${vector.version}; before ${SOUND_PGVECTOR} VACUUM may damage HNSW indexes: upgrade where data live on`;
    return { name, outcome: "warning", detail };
  }
  return { name, outcome: "ok", detail: vector.version };
}

function describeAbilities(capabilities: ServerCapabilities): string {
  const abilities: [string, boolean][] = [
    ["concurrent sessions", capabilities.concurrentSessions],
    ["COPY", capabilities.copy],
    ["advisory locks", capabilities.advisoryLocks],
    ["statement timeout", capabilities.statementTimeout],
    ["CREATE INDEX CONCURRENTLY", capabilities.createIndexConcurrently],
  ];
  const lacking = abilities.filter(([, has]) => !has).map(([name]) => name);
  return lacking.length === 0 ? "all that Kindred makes use of" : `without ${lacking.join(", ")}`;
}

async function checkTables(database: Database): Promise<Check[]> {
  const { rows } = await database.query<{ schema: string; table: string; columns: string[] }>(
    `SELECT table_schema AS schema, table_name AS table, array_agg(column_name::text) AS columns
       FROM information_schema.columns WHERE table_schema = ANY($1) GROUP BY 1, 2`,
    [Object.keys(KNOWN_TABLES)],
  );
  const found = new Map(rows.map((row) => [`${row.schema}.${row.table}`, new Set(row.columns)]));
  const checks: Check[] = [];
  for (const [schema, tables] of Object.entries(KNOWN_TABLES)) {
    for (const [table, columns] of Object.entries(tables)) {
      const name = `${schema}.${table}`;
      const there = found.get(name);
      const missing = columns.filter((column) => !there?.has(column));
      if (!there) checks.push({ name, outcome: "failed", detail: "is not there: kindred db setup" });
      else if (missing.length > 0)
        checks.push({ name, outcome: "failed", detail: `lacks ${missing.join(", ")}` });
      else checks.push({ name, outcome: "ok", detail: await countRows(database, schema, table) });
    }
  }
  return checks;
}

/** The names come from KNOWN_TABLES. */
async function countRows(database: Database, schema: string, table: string): Promise<string> {
  const { rows } = await database.query<{ count: string }>(`SELECT count(*) FROM ${schema}.${table}`);
  return `${Number(rows[0]?.count).toLocaleString("en-US")} rows`;
}

/** Whoever connects by hand should find the tables by their names alone. */
async function checkSearchPath(database: Database): Promise<Check> {
  const { rows } = await database.query<{ setting: string }>(
    `SELECT setting FROM pg_db_role_setting s, unnest(s.setconfig) AS setting
      WHERE s.setrole = 0 AND s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND setting LIKE 'search_path=%'`,
  );
  const path = rows[0]?.setting.slice("search_path=".length) ?? "";
  const names = path.split(",").map((name) => name.trim().replaceAll('"', ""));
  const missing = Object.keys(KNOWN_TABLES).filter((schema) => !names.includes(schema));
  return missing.length === 0
    ? { name: "search_path", outcome: "ok", detail: path }
    : {
        name: "search_path",
        outcome: "warning",
        detail: `lacks ${missing.join(", ")}: SQL by hand has to name the schemas`,
      };
}

async function checkIndexes(database: Database): Promise<Check> {
  const { rows } = await database.query<{ name: string; valid: boolean; method: string }>(
    `SELECT i.relname AS name, x.indisvalid AS valid, m.amname AS method
       FROM pg_index x
       JOIN pg_class i ON i.oid = x.indexrelid
       JOIN pg_am m ON m.oid = i.relam
       JOIN pg_namespace n ON n.oid = i.relnamespace
      WHERE n.nspname = ANY($1) ORDER BY i.relname`,
    [Object.keys(KNOWN_TABLES)],
  );
  const invalid = rows.filter((row) => !row.valid).map((row) => row.name);
  if (invalid.length > 0) {
    const detail = `not valid (the leftovers of killed builds): ${invalid.join(", ")}; kindred index ensure removes them`;
    return { name: "indexes", outcome: "failed", detail };
  }
  const vectors = rows
    .filter((row) => row.method === "hnsw" || row.method === "ivfflat")
    .map((row) => row.name);
  const detail = `${rows.length} valid; over vectors: ${vectors.length === 0 ? "none, searches compare every row" : vectors.join(", ")}`;
  return { name: "indexes", outcome: "ok", detail };
}
