import { isKindredError, KindredError } from "@kindred/errors";
import type { Database } from "@kindred/postgres";
import { countDown } from "../../domain/call-limits.ts";
import type { Metric } from "../../domain/collection.ts";
import { distanceFrom, squaredNorms, type DenseMetric } from "../../domain/exact-distance.ts";
import type { ItemHit, ItemQuery, ItemSearch, NearestItems } from "../../domain/item-ports.ts";
import { packFloats, unpackFloats, type PackedVector } from "../../domain/packed-vector.ts";
import type { CallLimits } from "../../domain/ports.ts";
import { groupValues, hitParts } from "../postgres/json-hits.ts";
import { cursorRows, pagedRows, rowsByKey, withSnapshot, type Queryable } from "../postgres/json-vectors.ts";
import { countStatement } from "../postgres/filter-condition.ts";
import { searchStates, type SearchStates } from "../postgres/search-state.ts";
import { tableVersion } from "../postgres/vector-changes.ts";
import { Breather } from "../../domain/breathe.ts";
import { groupNearest } from "./group-nearest.ts";
import { blockRows, VectorLoader } from "./load-vectors.ts";
import { parseVectors, scanMatching, scanRemembered, scanStored, type Scanned } from "./scan.ts";
import { VectorCache } from "./vector-cache.ts";

/** A search that finds the table changed between two looks reads it by itself, so that writers cannot keep it waiting. */
const LOOKS = 2;

/** Keys are short: many of them are read at a time. */
const KEYS_AT_A_TIME = 10_000;

/**
 * Searches among vectors that are kept as JSON, for want of pgvector: every vector that passes the filter is compared in this
 * process, exactly. Filters, metadata and all else are PostgreSQL's. A collection's vectors are remembered, up to `cacheBytes` for all
 * collections together, and used while the table holds just what was read; a larger one is read by a cursor each time, a block at a
 * time. A search sees one snapshot, save where there is one session for everybody: there a table is read by pages.
 */
export function inProcessSearch(
  db: Database,
  options: { cacheBytes: number; states?: SearchStates },
): ItemSearch {
  const cache = new VectorCache(options.cacheBytes);
  const loader = new VectorLoader({ db, cache });
  const { states = searchStates(db) } = options;

  /** Nothing is found when what the table holds now is not remembered. */
  const searchRemembered = (
    query: ItemQuery,
    limits: CallLimits,
    signal: AbortSignal | undefined,
  ): Promise<{ version: string | undefined; found?: NearestItems }> =>
    withSnapshot(db, query.collection, limits, async (client) => {
      const { collection, filter } = query;
      const { vectors } = collection.layout;
      const version = await tableVersion(client, db.schema, vectors);
      const rows = version && cache.get(loader.nameOf(collection), version);
      if (!rows) return { version };
      const breather = new Breather(signal);
      const wanted = scanQuery(query);
      const scanned = filter
        ? await scanMatching(
            wanted,
            rows,
            cursorRows(client, { collection, filter, vectors: false, rows: KEYS_AT_A_TIME }),
            breather,
          )
        : await scanRemembered(wanted, rows, breather);
      return { version, found: await answer(client, query, scanned) };
    });

  const searchStored = async (
    query: ItemQuery,
    left: () => CallLimits,
    signal: AbortSignal | undefined,
  ): Promise<NearestItems> => {
    const { collection, filter } = query;
    const wanted = scanQuery(query);
    const read = { collection, filter, vectors: true, rows: blockRows(collection.dimensions) };
    const breather = new Breather(signal);
    if (db.capabilities.concurrentSessions) {
      return await withSnapshot(db, collection, left(), async (client) =>
        answer(client, query, await scanStored(wanted, cursorRows(client, read), breather)),
      );
    }
    const scanned = await scanStored(wanted, pagedRows(db, read, left), breather);
    return await withSnapshot(db, collection, left(), (client) => answer(client, query, scanned));
  };

  return {
    // No index serves: vectors are no vectors to PostgreSQL.
    state: async (collection) => ({ ...(await states.of(collection)), indexes: [], iterativeScans: false }),

    async countMatching(collection, filter, bound, limits) {
      const { text, values } = countStatement(filter, collection.layout, bound);
      const { rows } = await db.transaction((client) => client.query<{ count: string }>(text, values), {
        ...limits,
        readOnly: true,
      });
      return Number(rows[0]?.count);
    },

    // It matters to index scans only.
    passingShare: async () => undefined,

    nearest: (query, limits) =>
      withinLimits(limits, async (signal) => {
        const left = countDown(limits);
        for (let look = 0; options.cacheBytes > 0 && look < LOOKS; look++) {
          const { version, found } = await searchRemembered(query, left(), signal);
          if (found) return found;
          if (!(await loader.load(query.collection, version, signal))) break;
        }
        return await searchStored(query, left, signal);
      }),

    distances: (query, limits) =>
      withinLimits(limits, (signal) =>
        withSnapshot(db, query.collection, limits, (client) => distancesOf(client, query, signal)),
      ),

    explain: () => Promise.resolve(undefined),
  };
}

/** Runs work that computes, and not only asks the database, within a caller's limits. */
async function withinLimits<T>(
  { signal, timeoutMs }: CallLimits,
  work: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  const late = timeoutMs === undefined ? undefined : AbortSignal.timeout(Math.ceil(timeoutMs));
  const both = signal && late ? AbortSignal.any([signal, late]) : (signal ?? late);
  try {
    return await work(both);
  } catch (error) {
    if (!both?.aborted || isKindredError(error)) throw error;
    if (isKindredError(both.reason)) throw both.reason;
    throw late?.aborted
      ? new KindredError("deadline-exceeded", "the search did not finish in time", { cause: error })
      : new KindredError("cancelled", "the caller gave up", { cause: error });
  }
}

function scanQuery(query: ItemQuery) {
  return {
    vector: unpackFloats(query.vector),
    metric: denseMetric(query.metric),
    limit: query.candidateLimit,
    excludedKeys: new Set(query.excludedKeys),
  };
}

function denseMetric(metric: Metric): DenseMetric {
  if (metric === "hamming" || metric === "jaccard")
    throw new TypeError(`${metric} distances are for bits, which are not kept as JSON`);
  return metric;
}

async function answer(client: Queryable, query: ItemQuery, scanned: Scanned): Promise<NearestItems> {
  const { collection, group, k, projection } = query;
  const { nearest, rowsScanned } = scanned;
  const keysOf = (items: readonly { key: string }[]): string[] => items.map(({ key }) => key);
  const values = group && (await groupValues(client, collection, group.path, keysOf(nearest)));
  const chosen =
    group && values
      ? groupNearest(nearest, { groupOf: (key) => values.get(key), groups: k, size: group.size })
      : nearest.slice(0, k).map((item) => ({ ...item, group: undefined }));
  const parts = await hitParts(client, collection, projection, keysOf(chosen));
  const hits = chosen.flatMap((item): ItemHit[] => {
    const found = parts.get(item.key);
    // Where nothing holds a snapshot, it may be gone.
    return found ? [{ ...item, ...found, vector: vectorOf(found.vector, collection.dimensions) }] : [];
  });
  return { hits, candidates: hits.length > 0 ? nearest.length : 0, rowsScanned };
}

/** It was stored, so that it is a vector; one that is not has ended the scan. */
function vectorOf(json: string | undefined, dimensions: number): PackedVector | undefined {
  return json === undefined
    ? undefined
    : packFloats(Float32Array.from(JSON.parse(json) as number[]).subarray(0, dimensions));
}

async function distancesOf(
  client: Queryable,
  query: Parameters<ItemSearch["distances"]>[0],
  signal: AbortSignal | undefined,
): Promise<ItemHit[]> {
  const { collection, group, projection } = query;
  const { dimensions } = collection;
  const rows = await rowsByKey(client, collection, query.keys);
  const count = rows.keys.length;
  const values = new Float32Array(count * dimensions);
  await parseVectors(rows, dimensions, { values, first: 0 }, new Breather(signal));
  const norms = new Float32Array(count);
  squaredNorms(values, dimensions, { first: 0, end: count }, norms);
  const distances = new Float64Array(count);
  distanceFrom(unpackFloats(query.vector), denseMetric(query.metric))(
    { values, norms, count },
    0,
    count,
    distances,
  );
  const groups = group && (await groupValues(client, collection, group.path, rows.keys));
  const parts = await hitParts(client, collection, { ...projection, vector: false }, rows.keys);
  return rows.keys.flatMap((key, i): ItemHit[] => {
    const found = parts.get(key);
    if (!found) return [];
    const vector = values.subarray(i * dimensions, (i + 1) * dimensions);
    return [
      {
        ...found,
        key,
        distance: distances[i] as number,
        group: groups?.get(key),
        vector: projection.vector ? packFloats(vector) : undefined,
      },
    ];
  });
}
