import { PGlite } from "@electric-sql/pglite";
import { pg_trgm } from "@electric-sql/pglite/contrib/pg_trgm";
import { vector } from "@electric-sql/pglite-pgvector";

/** Opens a data directory of PGlite with pgvector and pg_trgm at hand. */
export async function openPglite(dataDir: string): Promise<{ db: PGlite; server: string; vector: string }> {
  const db = await PGlite.create({ dataDir, extensions: { vector, pg_trgm } });
  const { rows } = await db.query<{ server: string; vector: string }>(`
    SELECT split_part(current_setting('server_version'), ' ', 1) AS server,
           (SELECT default_version FROM pg_available_extensions WHERE name = 'vector') AS vector`);
  return { db, ...(rows[0] as { server: string; vector: string }) };
}

/** Makes a fresh data directory, to be copied. */
export async function createTemplate(dataDir: string): Promise<void> {
  const { db } = await openPglite(dataDir);
  await db.close();
}
