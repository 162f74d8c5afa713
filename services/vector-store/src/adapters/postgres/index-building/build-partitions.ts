import { partitionIndexName } from "../../../domain/indexes/index-names.ts";
import { satisfies } from "../../../domain/indexes/index-upkeep.ts";
import { createConcurrently, type Building } from "./create-concurrently.ts";
import { partitionProgress } from "./build-progress.ts";
import { createIndexSql, indexSql } from "./index-ddl.ts";
import { LOCK_TIMEOUT_MS, untilLocked } from "./short-locks.ts";
import { attachedParts, findIndex, type Partition } from "./table-facts.ts";

/**
 * PostgreSQL builds no index of a partitioned table concurrently; so the parent gets an empty one that is not valid yet, each partition
 * one of its own, and with the last of them attached the whole is valid. Parts that an earlier try has finished are kept.
 */
export async function buildPartitions(building: Building, partitions: readonly Partition[]): Promise<void> {
  const { session, wanted, content, step } = building;
  const { collection, name } = wanted;
  const { vectors } = collection.layout;
  if (!(await findIndex(session.client, collection, name)))
    await withShortLocks(building, createIndexSql(name, vectors, content, "", true));
  const attached = await attachedParts(session.client, { schema: vectors.schema, name });
  for (const [position, { table }] of partitions.entries()) {
    if (attached.some((part) => part.table === table.name && part.valid)) continue;
    const part = partitionIndexName(name, position);
    const found = await findIndex(session.client, collection, part, table);
    if (!found?.valid || !satisfies(found, wanted.spec)) {
      if (found) await session.run(`DROP INDEX CONCURRENTLY IF EXISTS ${indexSql(table, part)}`);
      await createConcurrently(building, part, table, partitionProgress(step, partitions, position));
    }
    await withShortLocks(
      building,
      `ALTER INDEX ${indexSql(vectors, name)} ATTACH PARTITION ${indexSql(table, part)}`,
    );
  }
}

async function withShortLocks({ session, step }: Building, sql: string): Promise<void> {
  await untilLocked(step.signal, async () => {
    await session.run(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`);
    try {
      await session.run(sql);
    } finally {
      await session.client.query("SET lock_timeout = 0");
    }
  });
}
