import type { Database } from "@kindred/postgres";
import { vectorBytes, type Collection } from "../../domain/collection.ts";
import type { ItemQuery } from "../../domain/item-ports.ts";
import type { CallLimits } from "../../domain/ports.ts";
import { scanAtEffort } from "../../domain/recall/effort.ts";
import type { TableIndex } from "./index-catalogue.ts";
import { nearestStatement, scanSettings } from "./item-search-statement.ts";
import { tableSql } from "./sql.ts";

/** pgvector's default effort: of small tables, another index looks cheaper to the planner than a scan with a large ef_search. */
const TYPICAL = { k: 10, effort: 40 };

/**
 * Of indexes that are alike to a statement (of the same expression and operators), those that PostgreSQL scans when a search wants one of
 * their method: it chooses among them by cost. Asked only where there are any.
 */
export async function withoutRivals(
  db: Database,
  collection: Collection,
  indexes: readonly TableIndex[],
  limits: CallLimits,
): Promise<TableIndex[]> {
  const likeness = ({ quantization, operatorClass }: TableIndex): string =>
    `${quantization} ${operatorClass}`;
  const scanned: TableIndex[] = [];
  for (const index of indexes) {
    const rivals = indexes.filter((other) => likeness(other) === likeness(index));
    if (rivals.length < 2 || (await isScanned(db, collection, index, limits))) scanned.push(index);
  }
  return scanned;
}

async function isScanned(
  db: Database,
  collection: Collection,
  index: TableIndex,
  limits: CallLimits,
): Promise<boolean> {
  const query: ItemQuery = {
    collection,
    vector: new Uint8Array(vectorBytes(collection)),
    metric: index.metric,
    filter: undefined,
    excludedKeys: [],
    group: undefined,
    k: TYPICAL.k,
    candidateLimit: TYPICAL.k,
    scan: scanAtEffort(index, TYPICAL.effort, TYPICAL.k),
    projection: { vector: false, metadata: "none", document: false },
  };
  const { text, values } = nearestStatement(query);
  const { rows } = await db.statement<{ "QUERY PLAN": unknown }>(
    { text: `EXPLAIN (FORMAT JSON) ${text}`, values },
    { ...limits, readOnly: true, settings: scanSettings(query, { iterative: false }) },
  );
  const { rows: names } = await db.statement<{ name: string }>(
    {
      text: NAMES_OF_INDEX,
      values: [tableSql({ schema: collection.layout.vectors.schema, name: index.name })],
    },
    { ...limits, readOnly: true },
  );
  const scanned = new Set(scannedIndexes(rows[0]?.["QUERY PLAN"]));
  return names.some(({ name }) => scanned.has(name));
}

/** An index of a partitioned table is scanned as the indexes of its partitions. */
export const NAMES_OF_INDEX = `
  SELECT c.relname AS name
    FROM (SELECT to_regclass($1)::oid UNION SELECT relid::oid FROM pg_partition_tree(to_regclass($1))) AS p (oid)
    JOIN pg_class c ON c.oid = p.oid`;

/** Every "Index Name" of a plan as JSON. */
export function scannedIndexes(plan: unknown): string[] {
  if (typeof plan !== "object" || plan === null) return [];
  return Object.entries(plan).flatMap(([key, value]) =>
    key === "Index Name" && typeof value === "string" ? [value] : scannedIndexes(value),
  );
}
