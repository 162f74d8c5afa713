import { KindredError } from "@kindred/errors";
import { compareVersions, ensureVector, type Database } from "@kindred/postgres";

const OLDEST_SUPPORTED = "0.7.0";

/**
 * Makes sure that pgvector is in this database, creating it where that is possible. Safe when several services do so at once.
 * @throws KindredError failed-precondition that says how to get it.
 */
export async function requireVector(db: Database): Promise<void> {
  const { vector, vectorAvailable } = await ensureVector(db);
  if (vector && compareVersions(vector.version, OLDEST_SUPPORTED) >= 0) return;
  throw new KindredError("failed-precondition", remedy(vector?.version, vectorAvailable));
}

/** What to do about a pgvector that is too old or not there. */
export function remedy(installed: string | undefined, available: string | undefined): string {
  if (installed !== undefined) {
    return `pgvector ${installed} is too old, ${OLDEST_SUPPORTED} or newer is needed: run ALTER EXTENSION vector UPDATE in this database`;
  }
  if (available !== undefined) {
    return "this role may not create pgvector: let an administrator run CREATE EXTENSION vector in this database, once";
  }
  return (
    "this PostgreSQL server has no pgvector: install it (https://github.com/pgvector/pgvector#installation, for example " +
    "the package postgresql-17-pgvector or the image pgvector/pgvector), or let `kindred up` bring its own database"
  );
}
