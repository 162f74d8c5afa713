import { compareVersions, type Database } from "@kindred/postgres";
import type { Collection } from "../../domain/collection.ts";
import type { Filter } from "../../domain/filter.ts";
import type { GroupValue } from "../../domain/item.ts";
import type {
  ExplainedQuery,
  ItemHit,
  ItemQuery,
  ItemSearch,
  NearestItems,
} from "../../domain/item-ports.ts";
import { countDown } from "../../domain/call-limits.ts";
import { compareKeys } from "../../domain/key-order.ts";
import type { CallLimits } from "../../domain/ports.ts";
import type { ImageRow } from "./entities.ts";
import { countStatement } from "./filter-condition.ts";
import { toImage, toMetadata } from "./image-rows.ts";
import {
  countsCandidates,
  distancesStatement,
  nearestStatement,
  scannedRows,
  scanSettings,
  type DistanceQuery,
} from "./item-search-statement.ts";
import { shownParameters } from "./shown-parameters.ts";
import { briefMemory, passingShares, statementDigest } from "./passing-share.ts";
import { searchStates, type SearchStates } from "./search-state.ts";
import { movedMeanwhile } from "./space-pin.ts";
import { preparedStatements } from "./prepared-statements.ts";
import { packedFromColumn } from "./vector-columns.ts";

/** The first pgvector whose index scans go on under a filter. */
const ITERATIVE_SINCE = "0.8.0";

interface HitRow extends ImageRow {
  /** Of the images catalogue only. */
  pinnedSpaceId?: string | null;
  key: string;
  /** Null for a row of a user's table that has no vector; it sorts last. */
  distance: number | null;
  group?: unknown;
  candidates?: string;
  vector?: Buffer;
  metadata?: unknown;
  document?: string | null;
}

/** Searches with pgvector, by one statement and one round trip each. */
export function itemSearch(db: Database, states: SearchStates = searchStates(db)): ItemSearch {
  const counts = briefMemory<{ count: number; bound: number }>();
  const shares = passingShares(db);
  const statements = preparedStatements(db);
  const iterative = (): boolean =>
    compareVersions(db.capabilities.vector?.version ?? "0", ITERATIVE_SINCE) >= 0;

  return {
    state: async (collection) => ({ ...(await states.of(collection)), iterativeScans: iterative() }),

    async countMatching(collection: Collection, filter: Filter, bound: number, limits: CallLimits) {
      const { text, values } = countStatement(filter, collection.layout, bound);
      const key = statementDigest(text, values.slice(0, -1));
      const known = counts.get(key);
      if (known && (known.count < known.bound || known.bound >= bound)) return Math.min(known.count, bound);
      const { rows } = await db.statement<{ count: string }>({ text, values }, { ...limits, readOnly: true });
      const count = Number(rows[0]?.count);
      counts.set(key, { count, bound });
      return count;
    },

    passingShare: (collection, filter, limits) => shares.of(collection, filter, limits),

    async nearest(query: ItemQuery, limits: CallLimits): Promise<NearestItems> {
      const { scan } = query;
      const left = countDown(limits);
      const statement = nearestStatement(query);
      const run = (goingOn: boolean): Promise<{ rows: HitRow[] }> =>
        // Another index has another text, save for one of the same vectors by another method.
        statements.run<HitRow>(statement, scan.method, {
          ...left(),
          readOnly: true,
          settings: scanSettings(query, { iterative: goingOn }),
        });
      const goesOn = iterative() && mayComeShort(query);
      let { rows } = await run(goesOn);
      // Rows that were deleted take up places in an index until it is vacuumed.
      if (scan.method !== "exact" && rows.length < query.k && iterative() && !goesOn) {
        ({ rows } = await run(true));
      }
      const hits = toHits(query, rows).toSorted(nearestFirst(query));
      const candidates = countsCandidates(query) ? Number(rows[0]?.candidates ?? 0) : hits.length;
      // Fewer than were asked for are all that there are.
      const all = scan.method === "exact" && candidates < query.candidateLimit;
      return { hits, candidates, rowsScanned: all ? candidates : undefined };
    },

    async distances(query: DistanceQuery, limits: CallLimits): Promise<ItemHit[]> {
      const { rows } = await statements.run<HitRow>(distancesStatement(query), "distances", {
        ...limits,
        readOnly: true,
      });
      return toHits(query, rows);
    },

    async explain(query, { analyze }, limits): Promise<ExplainedQuery> {
      const { text, values } = nearestStatement(query);
      const settings = scanSettings(query, { iterative: iterative() && mayComeShort(query) });
      const options = ["VERBOSE", "FORMAT TEXT", ...(analyze ? ["ANALYZE", "BUFFERS"] : [])];
      const { rows } = await db.statement<{ "QUERY PLAN": string }>(
        { text: `EXPLAIN (${options.join(", ")}) ${text}`, values },
        { ...limits, readOnly: true, settings },
      );
      return {
        sql: text,
        parameters: shownParameters(query, values),
        settings: Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)])),
        plan: rows.map((row) => row["QUERY PLAN"]).join("\n"),
      };
    },
  };
}

/** Whether one round of an index scan may give fewer rows than are wanted: an iterative scan costs a tenth more. */
export function mayComeShort(query: ItemQuery): boolean {
  const { scan, filter, sampledShare, excludedKeys } = query;
  if (filter || sampledShare !== undefined || excludedKeys.length > 0) return true;
  // DiskANN's scans always go on.
  return scan.method !== "hnsw" || scannedRows(query) > scan.efSearch;
}

/** What the statement leaves in the index's order may have equal distances. */
function nearestFirst({ collection, group, scan }: ItemQuery): (a: ItemHit, b: ItemHit) => number {
  if (group || collection.kind === "images" || scan.method === "exact") return () => 0;
  const byKey = compareKeys(collection.layout.key.type);
  return (a, b) => a.distance - b.distance || byKey(a.key, b.key);
}

type Hits = Pick<ItemQuery, "collection" | "projection" | "group">;

/** The images' table keeps its name when they move into another space; others have another table then. */
const EMBEDDINGS = "embeddings";

/** @throws KindredError aborted when the hits are of another space than the query, which was made before the catalogue moved there */
function requireSameSpace({ name, space }: Collection, rows: readonly HitRow[]): void {
  const pinned = rows[0]?.pinnedSpaceId;
  if (pinned != null && pinned !== space?.id) throw movedMeanwhile(name, pinned);
}

/** What has no vector is no hit. */
function toHits(query: Hits, rows: readonly HitRow[]): ItemHit[] {
  if (query.collection.layout.vectors.name === EMBEDDINGS) requireSameSpace(query.collection, rows);
  return rows.flatMap((row) => (row.distance === null ? [] : [toHit(query, row, row.distance)]));
}

function toHit({ collection, projection, group }: Hits, row: HitRow, distance: number): ItemHit {
  const images = collection.kind === "images";
  const metadata = toMetadata(row.metadata);
  return {
    key: row.key,
    distance,
    vector: row.vector && packedFromColumn(collection, row.vector),
    // An item without a row of metadata has empty ones; an image's embedding may have none.
    metadata: projection.metadata === "none" ? undefined : (metadata ?? (images ? undefined : {})),
    document: row.document ?? undefined,
    group: group ? toGroupValue(row.group) : undefined,
    image: images ? toImage(row) : undefined,
  };
}

function toGroupValue(value: unknown): GroupValue {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? value
    : undefined;
}
