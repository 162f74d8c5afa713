import { compareVersions, type Database } from "@kindred/postgres";
import type { CallLimits, Nearest, StateReader, VectorSearch } from "../../domain/ports.ts";
import type { NearestQuery, SearchFilter } from "../../domain/search-query.ts";
import type { ImageRow } from "./entities.ts";
import { toImage, toMetadata } from "./image-rows.ts";
import { countStatement, scanSettings, searchStatement } from "./search-statement.ts";

/** The first pgvector whose index scans go on under a filter. */
const ITERATIVE_SINCE = "0.8.0";

/** How selective a filter is changes slowly, and a wrong guess costs time only. */
const COUNT_FRESH_MS = 10_000;
const MAX_COUNTS = 1000;

interface HitRow extends ImageRow {
  embeddingId: string;
  distance: number;
  metadata: unknown;
  candidates: string;
}

/** Searches with one statement each. */
export function vectorSearch(db: Database, { state }: StateReader): VectorSearch {
  const counts = new Map<string, { count: number; bound: number; at: number }>();

  return {
    state,

    async firstVector(imageId) {
      const { rows } = await db.query<{ vector: Buffer | null }>(
        `SELECT (SELECT vector_send(e.embedding) FROM embeddings e WHERE e.image_id = i.id ORDER BY e.id LIMIT 1) AS vector
           FROM images i WHERE i.id = $1`,
        [String(imageId)],
      );
      if (!rows[0]) return "no-image";
      return rows[0].vector ? { stored: rows[0].vector } : "no-embedding";
    },

    async countMatching(filter: SearchFilter, bound: number, limits: CallLimits) {
      const key = JSON.stringify([filter.modelType, filter.embeddingType, filter.sourceDataset]);
      const known = counts.get(key);
      const usable = known && (known.count < known.bound || known.bound >= bound);
      if (usable && performance.now() - known.at < COUNT_FRESH_MS) return Math.min(known.count, bound);
      const { text, values } = countStatement(filter, bound);
      const { rows } = await db.transaction((client) => client.query<{ count: string }>(text, values), {
        ...limits,
        readOnly: true,
        settings: { jit: "off" },
      });
      const count = Number(rows[0]?.count);
      if (counts.size >= MAX_COUNTS) counts.clear();
      counts.set(key, { count, bound, at: performance.now() });
      return count;
    },

    async nearest(query: NearestQuery, limits: CallLimits): Promise<Nearest> {
      const { text, values } = searchStatement(query);
      const version = db.capabilities.vector?.version ?? "0";
      const { rows } = await db.transaction((client) => client.query<HitRow>(text, values), {
        ...limits,
        readOnly: true,
        settings: scanSettings(query.scan, { iterative: compareVersions(version, ITERATIVE_SINCE) >= 0 }),
      });
      const hits = rows.map((row) => ({
        image: toImage(row),
        distance: row.distance,
        embeddingId: BigInt(row.embeddingId),
        metadata: toMetadata(row.metadata),
      }));
      return { hits, candidates: Number(rows[0]?.candidates ?? 0) };
    },
  };
}
