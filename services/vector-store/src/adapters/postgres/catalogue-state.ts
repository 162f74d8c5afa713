import { KindredError } from "@kindred/errors";
import type { Database } from "@kindred/postgres";
import type { DataSource } from "typeorm";
import { COLLECTION } from "../../domain/collection.ts";
import type { CatalogueState, StateReader } from "../../domain/ports.ts";
import { INDEX_NAME, servesSearches } from "../../domain/vector-index.ts";
import { CollectionEntity } from "./entities.ts";
import { imageIndexes } from "./index-catalogue.ts";
import { translated } from "./translated.ts";

/** Other replicas build and drop indexes too. A stale view costs speed and never a hit: short scans fall back. */
const FRESH_MS = 1000;

/** The catalogue's state, read at most once a second, and again at once after `forget()`. */
export interface CachedState extends StateReader {
  forget(): void;
}

export function catalogueState(db: Database, dataSource: DataSource): CachedState {
  let cached: { state: Promise<CatalogueState>; at: number } | undefined;
  const forget = (): void => {
    cached = undefined;
  };
  const readAndKeep = async (): Promise<CatalogueState> => {
    const entry = { state: readState(db, dataSource), at: performance.now() };
    cached = entry;
    let keep = false;
    try {
      const state = await entry.state;
      // Another replica may store the first embedding at any moment, and with it the space that all others have to be of.
      keep = state.space !== undefined;
      return state;
    } finally {
      if (!keep && cached === entry) forget();
    }
  };
  return {
    forget,
    async state() {
      if (cached && performance.now() - cached.at < FRESH_MS) return await cached.state;
      return await readAndKeep();
    },
  };
}

/**
 * As the planner estimates rows: their density when it was last measured, times the size now. Where it never was,
 * `bytesPerRow` stands in.
 */
const estimatedRows = (table: string, bytesPerRow: number): string => `
  (SELECT CASE WHEN reltuples >= 0 AND relpages > 0
          THEN reltuples * (pg_relation_size(oid) / current_setting('block_size')::float8) / relpages
          ELSE pg_relation_size(oid) / ${bytesPerRow}.0 END
     FROM pg_class WHERE oid = '${table}'::regclass)::float8`;

const ESTIMATES = `SELECT ${estimatedRows("images", 150)} AS images, ${estimatedRows("embeddings", 1700)} AS embeddings`;

async function readState(db: Database, dataSource: DataSource): Promise<CatalogueState> {
  const collection = await translated(() =>
    dataSource
      .getRepository(CollectionEntity)
      .findOne({ where: { name: COLLECTION }, relations: { space: true } }),
  );
  if (!collection)
    throw new KindredError("data-loss", `the collection "${COLLECTION}" is missing from the database`);
  const { rows } = await db.query<{ images: number; embeddings: number }>(ESTIMATES);
  const serving = (await imageIndexes(db, db.schema)).filter(
    (index) => index.expression === undefined && servesSearches(index),
  );
  return {
    space: collection.space ?? undefined,
    index: serving.find((index) => index.name === INDEX_NAME) ?? serving[0],
    estimatedImages: Math.round(rows[0]?.images ?? 0),
    estimatedEmbeddings: Math.round(rows[0]?.embeddings ?? 0),
  };
}
