import { KindredError } from "@kindred/errors";
import { compareVersions, ensureVector, type Database } from "@kindred/postgres";

const OLDEST_SUPPORTED = "0.7.0";

/**
 * Sees to pgvector in this database, creating it where that is possible. Safe when several services do so at once. Without it
 * everything works, slower, which the log says.
 * @throws KindredError failed-precondition when it is there and too old.
 */
export async function prepareVector(db: Database): Promise<void> {
  const { vector, vectorAvailable } = await ensureVector(db);
  if (!vector) {
    db.logger.warn(
      "without pgvector, vectors are kept as JSON and compared in this process, all of them in every search: there are no " +
        `vector indexes, no halfvec and no bit; ${remedy(undefined, vectorAvailable)}; then run \`kindred db upgrade-vectors\``,
    );
    return;
  }
  if (compareVersions(vector.version, OLDEST_SUPPORTED) < 0)
    throw new KindredError("failed-precondition", remedy(vector.version, vectorAvailable));
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
