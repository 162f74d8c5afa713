import { streamTransaction, type Database } from "@kindred/postgres";
import type { PoolClient } from "pg";
import type { GenerationFilter, ListPosition } from "../../domain/generation-filter.ts";
import { NEWEST_FIRST } from "../../domain/generation-filter.ts";
import type { GenerationStore } from "../../domain/generation-store.ts";
import type { Generation } from "../../domain/generation.ts";
import { positionOf } from "../../domain/list-generations.ts";
import { filterCondition } from "./generation-filter.ts";
import { pageStatement } from "./generation-page.ts";
import { partsOf } from "./generation-parts.ts";
import { sqlParameters } from "./sql-parameters.ts";

export interface ListDeps {
  db: Database;
  /** Gives generations by their ids; within a transaction that repositoryTransaction opened, as that sees them. */
  store: Pick<GenerationStore, "findMany">;
}

/** Generations that are read at once at most: some MB, for prompts and examples of the usual length, and fewer of longer ones. */
const BATCH = 500;

/** See GenerationLists.all. */
export function allGenerations(
  deps: ListDeps,
  filter: GenerationFilter,
  signal: AbortSignal,
): AsyncIterable<Generation[]> {
  // Where all share one session, a transaction that waits for a slow reader would make everybody wait.
  return deps.db.capabilities.concurrentSessions
    ? streamTransaction(deps.db, (client) => batches(client, deps, filter), { signal })
    : pages(deps, filter, signal);
}

async function* batches(
  client: PoolClient,
  { store }: Pick<ListDeps, "store">,
  filter: GenerationFilter,
): AsyncGenerator<Generation[]> {
  for await (const ids of idBatches(client, filter))
    for (const part of await partsOf((sql, parameters) => client.query(sql, parameters), ids))
      yield await store.findMany(part);
}

/** By a cursor of SQL's: other statements run on the connection between its batches, which the protocol's cursors do not let pass. */
async function* idBatches(client: PoolClient, filter: GenerationFilter): AsyncGenerator<bigint[]> {
  const parameters = sqlParameters();
  const where = filterCondition(filter, parameters);
  await client.query(
    `DECLARE exported NO SCROLL CURSOR FOR
       SELECT id FROM generations WHERE ${where} ORDER BY created_at DESC, id DESC`,
    parameters.values,
  );
  for (;;) {
    const { rows } = await client.query<{ id: string }>(`FETCH ${BATCH} FROM exported`);
    if (rows.length === 0) return;
    yield rows.map(({ id }) => BigInt(id));
  }
}

/** It is no snapshot: what is changed meanwhile may be seen or not; nothing is seen twice. */
async function* pages(
  { db, store }: { db: Pick<Database, "query">; store: ListDeps["store"] },
  filter: GenerationFilter,
  signal: AbortSignal,
): AsyncGenerator<Generation[]> {
  let after: ListPosition | undefined;
  for (;;) {
    signal.throwIfAborted();
    const { text, values } = pageStatement({ filters: [filter], order: NEWEST_FIRST, after, limit: BATCH });
    const { rows } = await db.query<{ id: string }>(text, values);
    const parts = await partsOf(
      (sql, parameters) => db.query(sql, parameters),
      rows.map(({ id }) => BigInt(id)),
    );
    for (const part of parts) {
      const generations = await store.findMany(part);
      if (generations.length > 0) yield generations;
      const last = generations.at(-1);
      if (last) after = positionOf(last, NEWEST_FIRST);
    }
    // Where all of them were deleted meanwhile, others have their places.
    if (rows.length < BATCH) return;
  }
}
