import { KindredError } from "@kindred/errors";
import type { Database } from "@kindred/postgres";
import { escapeIdentifier, type PoolClient } from "pg";
import type { Collection } from "../../../domain/collection.ts";
import { partitionIndexName } from "../../../domain/indexes/index-names.ts";
import { indexSql } from "./index-ddl.ts";
import { knownIndexes } from "./known-indexes.ts";
import { LOCK_TIMEOUT_MS, untilLocked } from "./short-locks.ts";
import { attachedParts } from "./table-facts.ts";

/** What is known of an index, which its name goes with. */
const TABLES = ["index_builds", "recall_curves", "recall_measurements"];

/** Gives `from` the name `to`, in one transaction that waits for locks only for a moment, and then tries again. */
export async function swapIndexes(
  db: Database,
  collection: Collection,
  names: { from: string; to: string; retired: string },
  signal: AbortSignal,
): Promise<void> {
  await untilLocked(signal, () =>
    db.transaction(
      async (client) => {
        const indexes = await knownIndexes(client, collection);
        const [from, to, retired] = [names.from, names.to, names.retired].map((name) =>
          indexes.find((index) => index.name === name),
        );
        if (!from) return;
        if (to && !to.owned)
          throw new KindredError(
            "failed-precondition",
            `the index ${names.to} is not the store's to replace`,
          );
        if (to && retired)
          throw new KindredError("aborted", `the index ${names.retired} has to be dropped first`);
        if (to) await rename(client, collection, to, names.retired);
        await rename(client, collection, from, names.to);
      },
      { signal, settings: { lock_timeout: LOCK_TIMEOUT_MS } },
    ),
  );
}

async function rename(
  client: PoolClient,
  collection: Collection,
  index: { name: string; oid: number },
  name: string,
): Promise<void> {
  const { vectors } = collection.layout;
  const parts = await attachedParts(client, { schema: vectors.schema, name: index.name });
  await client.query(`ALTER INDEX ${indexSql(vectors, index.name)} RENAME TO ${escapeIdentifier(name)}`);
  for (const [position, part] of parts.entries()) {
    const partName = partitionIndexName(name, position);
    if (part.name !== partName)
      await client.query(
        `ALTER INDEX ${indexSql(vectors, part.name)} RENAME TO ${escapeIdentifier(partName)}`,
      );
  }
  // Curves of an index that had this name before and is gone.
  await client.query(
    "DELETE FROM recall_curves WHERE collection = $1 AND index_name = $2 AND index_oid <> $3",
    [collection.name, name, index.oid],
  );
  for (const table of TABLES) {
    await client.query(`UPDATE ${table} SET index_name = $2 WHERE collection = $1 AND index_oid = $3`, [
      collection.name,
      name,
      index.oid,
    ]);
  }
}
