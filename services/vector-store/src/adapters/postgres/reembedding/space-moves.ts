import type { Database } from "@kindred/postgres";
import { escapeIdentifier, type PoolClient } from "pg";
import type { CollectionRepository } from "../../../domain/item-ports.ts";
import type { SpaceMove, SpaceMoves } from "../../../domain/reembedding/reembedding-ports.ts";
import { tableSql } from "../sql.ts";
import { holdOperation } from "./brief-locks.ts";
import { cutOver } from "./cut-over.ts";
import {
  differingKeys,
  itemPage,
  loggedChanges,
  noteKeys,
  sampleItems,
  settleChanges,
  textlessItems,
  textsOfKeys,
  writeVectors,
} from "./moved-rows.ts";
import { finishMove, isThere, obstaclesOf, prepareMove, undoMove } from "./next-table.ts";

/** Whole tables are read: as long as that takes. */
const UNLIMITED_MS = 0;

/** Moves collections in this database. */
export function spaceMoves(db: Database, collections: Pick<CollectionRepository, "forget">): SpaceMoves {
  const read = <T>(work: (client: PoolClient) => Promise<T>, signal: AbortSignal): Promise<T> =>
    db.transaction(work, { readOnly: true, timeoutMs: UNLIMITED_MS, signal });
  const write = (
    move: SpaceMove,
    work: (client: PoolClient) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> =>
    db.transaction(
      async (client) => {
        await holdOperation(client, move);
        await work(client);
      },
      { timeoutMs: UNLIMITED_MS, signal },
    );
  const changing = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } finally {
      collections.forget();
    }
  };
  return {
    textless: (collection, limits) =>
      db.transaction((client) => textlessItems(client, collection), {
        ...limits,
        timeoutMs: limits.timeoutMs ?? UNLIMITED_MS,
        readOnly: true,
        isolation: "repeatable read",
      }),

    obstacles: (collection, limits) =>
      db.transaction((client) => obstaclesOf(client, collection), { ...limits, readOnly: true }),

    prepare: (move, signal) => changing(prepareMove(db, move, signal)),

    page: (move, afterKey, limit, signal) =>
      read((client) => itemPage(client, move, afterKey, limit), signal),

    write: (move, { vectors, textless }, signal) =>
      write(
        move,
        async (client) => {
          await writeVectors(client, db, move, vectors);
          await noteKeys(client, move, textless);
        },
        signal,
      ),

    changes: (move, afterId, limit, signal) =>
      read((client) => loggedChanges(client, move, afterId, limit), signal),

    texts: (move, keys, signal) => read((client) => textsOfKeys(client, move, keys), signal),

    settle: (move, changes, vectors, signal) =>
      write(move, (client) => settleChanges(client, db, move, changes, vectors), signal),

    differences: (move, signal) =>
      db.transaction((client) => differingKeys(client, move), {
        readOnly: true,
        isolation: "repeatable read",
        timeoutMs: UNLIMITED_MS,
        signal,
      }),

    sample: (move, count, signal) => read((client) => sampleItems(client, move, count), signal),

    async canScan({ to }, indexName, signal) {
      return await db.transaction((client) => canScan(client, to, indexName), {
        readOnly: true,
        signal,
        settings: { enable_seqscan: "off", enable_sort: "off" },
      });
    },

    cutOver: (move, options, signal) => changing(cutOver(db, move, options, signal)),

    finish: (move, signal) => changing(finishMove(db, move, signal)),

    undo: (move, signal) =>
      changing(
        undoMove(
          db,
          move,
          async (client) =>
            (await isThere(client, move.to.layout.vectors)) ? await indexNames(client, move) : [],
          signal,
        ),
      ),
  };
}

async function indexNames(client: PoolClient, { to }: SpaceMove): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid WHERE x.indrelid = $1::regclass`,
    [tableSql(to.layout.vectors)],
  );
  return rows.map(({ name }) => name);
}

/** Operators by which an index's rows are ordered, by its operator class: pgvector's README. */
const OPERATORS: readonly [RegExp, string][] = [
  [/_cosine_ops$/, "<=>"],
  [/_l2_ops$/, "<->"],
  [/_ip_ops$/, "<#>"],
  [/_l1_ops$/, "<+>"],
  [/_hamming_ops$/, "<~>"],
  [/_jaccard_ops$/, "<%>"],
];

async function canScan(client: PoolClient, { layout }: SpaceMove["to"], indexName: string): Promise<boolean> {
  const { rows } = await client.query<{ expression: string; operatorClass: string }>(
    `SELECT pg_get_indexdef(x.indexrelid, 1, true) AS expression, o.opcname AS "operatorClass"
       FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_opclass o ON o.oid = x.indclass[0]
      WHERE x.indrelid = $1::regclass AND c.relname = $2 AND x.indisvalid`,
    [tableSql(layout.vectors), indexName],
  );
  const index = rows[0];
  const operator = index && OPERATORS.find(([name]) => name.test(index.operatorClass))?.[1];
  if (!operator) return false;
  const table = tableSql(layout.vectors);
  const compared = `(${index.expression}) ${operator} (SELECT ${index.expression} FROM ${table} LIMIT 1)`;
  const plan = await client.query<{ "QUERY PLAN": string }>(
    `EXPLAIN SELECT ${escapeIdentifier(layout.key.column)} FROM ${table} ORDER BY ${compared} LIMIT 10`,
  );
  // A partitioned table's indexes have names of their own, which begin with those of their tables.
  return plan.rows.some((row) => /Index Scan using/.test(row["QUERY PLAN"]));
}
