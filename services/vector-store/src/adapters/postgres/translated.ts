import { translatePgError } from "@kindred/postgres";

/** Runs work with TypeORM; the database's errors come as KindredErrors. */
export async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw translatePgError(error);
  }
}
