import type { PoolClient } from "pg";

/**
 * Locks generations that are to be deleted, and their outputs, each in the order in which everybody locks several of them: no two wait for each
 * other's. Nobody changes one of them, or records a variation of it, until the transaction ends.
 */
export async function lockGenerations(
  client: Pick<PoolClient, "query">,
  ids: readonly string[],
): Promise<void> {
  await client.query("SELECT FROM generations WHERE id = ANY ($1::bigint[]) ORDER BY id FOR UPDATE", [ids]);
  await client.query(
    `SELECT FROM generation_outputs WHERE generation_id = ANY ($1::bigint[])
      ORDER BY generation_id, position FOR UPDATE`,
    [ids],
  );
}
