import { repositoryTransaction, type Database } from "@kindred/postgres";
import type { PoolClient } from "pg";
import type { GenerationFilter, ListPosition } from "../../domain/generation-filter.ts";
import { NEWEST_FIRST } from "../../domain/generation-filter.ts";
import type { GenerationStore } from "../../domain/generation-store.ts";
import type { Generation } from "../../domain/generation.ts";
import { positionOf } from "../../domain/list-generations.ts";
import { filterCondition } from "./generation-filter.ts";
import { pageStatement } from "./generation-page.ts";
import { sqlParameters } from "./sql-parameters.ts";

export interface ListDeps {
  db: Database;
  /** Gives generations by their ids; within a transaction that repositoryTransaction opened, as that sees them. */
  store: Pick<GenerationStore, "findMany">;
}

/** Generations that are read at once: some MB, for prompts and examples of the usual length. */
const BATCH = 500;

/** See GenerationLists.all. */
export function allGenerations(
  deps: ListDeps,
  filter: GenerationFilter,
  signal: AbortSignal,
): AsyncIterable<Generation[]> {
  // Where all share one session, a transaction that waits for a slow reader would make everybody wait.
  return deps.db.capabilities.concurrentSessions
    ? snapshot(deps, filter, signal)
    : pages(deps, filter, signal);
}

/**
 * Of one transaction, which lasts until the iteration ends. While a batch is looked at the next one is read, so that at most two are in
 * memory, however slow the reader is.
 */
async function* snapshot(
  { db, store }: ListDeps,
  filter: GenerationFilter,
  signal: AbortSignal,
): AsyncGenerator<Generation[]> {
  const abandoned = new AbortController();
  const either = AbortSignal.any([abandoned.signal, signal]);
  const { readable, writable } = new TransformStream<Generation[], Generation[]>();
  const writer = writable.getWriter();
  // A reader that takes nothing any more would hold the transaction open for ever.
  either.addEventListener("abort", () => void writer.abort(either.reason).catch(() => {}), { once: true });
  const running = repositoryTransaction(
    db,
    async (client) => {
      for await (const ids of idBatches(client, filter)) await writer.write(await store.findMany(ids));
    },
    {
      signal: either,
      isolation: "repeatable read",
      readOnly: true,
      timeoutMs: 0,
      settings: { idle_in_transaction_session_timeout: 0 },
    },
  );
  running
    .then(
      () => writer.close(),
      (error: unknown) => writer.abort(error),
    )
    .catch(() => {});
  try {
    yield* readable;
    await running;
  } catch (error) {
    // What ended the transaction says more than the broken stream does.
    await running;
    throw error;
  } finally {
    abandoned.abort();
    await running.catch(() => {});
  }
}

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
    const generations = await store.findMany(rows.map(({ id }) => BigInt(id)));
    if (generations.length > 0) yield generations;
    const last = generations.at(-1);
    if (rows.length < BATCH || !last) return;
    after = positionOf(last, NEWEST_FIRST);
  }
}
