import { KindredError } from "@kindred/errors";
import { setLocalStatements, type Database } from "@kindred/postgres";
import type { PoolClient } from "pg";
import type { Collection } from "../../domain/collection.ts";
import type { ItemQuery, ItemSearch } from "../../domain/item-ports.ts";
import { measuredMetric, noIndex } from "../../domain/recall/effort.ts";
import type {
  ProbeAnswer,
  ProbeQuery,
  RecallProbe,
  RecallSnapshot,
} from "../../domain/recall/recall-ports.ts";
import { servesMetric } from "../../domain/search/search-plan.ts";
import { vectorIndexes } from "./index-catalogue.ts";
import { mayComeShort } from "./item-search.ts";
import { nearestStatement, scanSettings } from "./item-search-statement.ts";
import { tableSql, type Statement } from "./sql.ts";

/** A measurement takes one core of the database's, and leaves the others to its users. */
const ALONE = { max_parallel_workers_per_gather: 0 };

const SAVEPOINT = "probe";

interface HitRow {
  key: string;
  distance: number | null;
}

/** Runs the statements that searches run, many in one transaction. */
export function recallProbe(db: Database, search: Pick<ItemSearch, "state">): RecallProbe {
  return {
    async inSnapshot(collection, work, limits) {
      const { iterativeScans } = await search.state(collection);
      return await db.transaction(
        async (client) => await work(snapshotOf(client, collection, iterativeScans)),
        { ...limits, readOnly: true, isolation: "repeatable read", settings: ALONE },
      );
    },

    async index(collection, name, limits) {
      const named = JSON.stringify(collection.name);
      if (collection.layout.vector.storage === "json") {
        throw new KindredError(
          "failed-precondition",
          `the vectors of ${named} are kept as JSON, for want of pgvector: every search compares all of them`,
        );
      }
      if (name === undefined) {
        const { indexes } = await search.state(collection);
        const preferred = indexes.find((index) => servesMetric(index, collection.metric, collection));
        if (!preferred) throw noIndex(collection);
        return preferred;
      }
      const indexes = await db.transaction(
        async (client) => await vectorIndexes(client, collection.layout.vectors),
        { ...limits, readOnly: true },
      );
      const index = indexes.find((each) => each.name === name);
      if (!index) throw new KindredError("not-found", `${named} has no vector index ${JSON.stringify(name)}`);
      const serves =
        index.searchable &&
        index.column === collection.layout.vector.column &&
        servesMetric(index, measuredMetric(collection, index), collection);
      if (!serves) {
        const why = index.valid ? "it serves no search of this collection" : "it is not valid";
        throw new KindredError("failed-precondition", `${JSON.stringify(name)} cannot be measured: ${why}`);
      }
      return index;
    },

    estimatedRows: async (collection) => (await search.state(collection)).estimatedRows,
  };
}

function snapshotOf(client: PoolClient, collection: Collection, iterative: boolean): RecallSnapshot {
  // What the settings of the transaction are at the moment; every change is a round trip.
  let set = "";
  const checked = new Set<string>();
  const apply = async (settings: Record<string, string | number>): Promise<void> => {
    const wanted = setLocalStatements(settings).join("; ");
    if (wanted === set) return;
    // Going back to a savepoint takes settings back, too.
    const back = set === "" ? [] : [`ROLLBACK TO SAVEPOINT ${SAVEPOINT}`, `RELEASE SAVEPOINT ${SAVEPOINT}`];
    const forth = wanted === "" ? [] : [`SAVEPOINT ${SAVEPOINT}`, wanted];
    await client.query([...back, ...forth].join("; "));
    set = wanted;
  };
  const run = async (statement: Statement): Promise<{ rows: HitRow[]; ms: number }> => {
    const began = performance.now();
    const { rows } = await client.query<HitRow>(statement.text, statement.values);
    return { rows, ms: performance.now() - began };
  };

  return {
    async ask(probe) {
      const query = itemQuery(collection, probe);
      const { scan, candidateLimit } = query;
      const statement = nearestStatement(query);
      if (scan.method === "exact") {
        await apply({});
        return toAnswer(await run(statement));
      }
      const goesOn = iterative && (query.sampledShare !== undefined || mayComeShort(query));
      await apply(scanSettings(query, { iterative: goesOn }));
      if (!checked.has(scan.indexName)) {
        await requireIndex(client, collection, scan.indexName, statement);
        checked.add(scan.indexName);
      }
      const first = await run(statement);
      if (first.rows.length >= candidateLimit || !iterative || goesOn) return toAnswer(first);
      // As searches do where rows that were deleted have taken up places.
      await apply(scanSettings(query, { iterative: true }));
      const second = await run(statement);
      return toAnswer({ rows: second.rows, ms: first.ms + second.ms });
    },
  };
}

function itemQuery(collection: Collection, probe: ProbeQuery): ItemQuery {
  return {
    ...probe,
    collection,
    filter: undefined,
    excludedKeys: [],
    group: undefined,
    k: probe.candidateLimit,
    projection: { vector: false, metadata: "none", document: false },
  };
}

function toAnswer({ rows, ms }: { rows: HitRow[]; ms: number }): ProbeAnswer {
  const nearest = rows.flatMap(({ key, distance }) =>
    distance === null || Number.isNaN(distance) ? [] : [{ key, distance }],
  );
  return { nearest: nearest.toSorted((a, b) => a.distance - b.distance), ms };
}

/** An index of a partitioned table is scanned as the indexes of its partitions. */
const NAMES_OF_INDEX = `
  SELECT c.relname AS name FROM (SELECT to_regclass($1)::oid UNION SELECT relid::oid FROM pg_partition_tree(to_regclass($1))) AS p (oid)
    JOIN pg_class c ON c.oid = p.oid`;

/** Two indexes of the same vectors look the same to the planner. */
async function requireIndex(
  client: PoolClient,
  { layout }: Collection,
  name: string,
  { text, values }: Statement,
): Promise<void> {
  const { rows: names } = await client.query<{ name: string }>(NAMES_OF_INDEX, [
    tableSql({ schema: layout.vectors.schema, name }),
  ]);
  const { rows } = await client.query<{ "QUERY PLAN": unknown }>(`EXPLAIN (FORMAT JSON) ${text}`, values);
  const scanned = indexNames(rows[0]?.["QUERY PLAN"]);
  if (scanned.some((each) => names.some((own) => own.name === each))) return;
  const instead = scanned.length === 0 ? "no index" : scanned.join(", ");
  throw new KindredError(
    "failed-precondition",
    `PostgreSQL scans ${instead} and not ${JSON.stringify(name)} for such a search`,
  );
}

/** Every "Index Name" of a plan. */
function indexNames(plan: unknown): string[] {
  if (typeof plan !== "object" || plan === null) return [];
  return Object.entries(plan).flatMap(([key, value]) =>
    key === "Index Name" && typeof value === "string" ? [value] : indexNames(value),
  );
}
