import { loadConfig } from "@kindred/config";
import { databaseSettings, migrate, openDatabase, type Database } from "@kindred/postgres";
import { silentLogger } from "@kindred/testing";
import { DATABASE_SCHEMA } from "../src/adapters/postgres/migrations.ts";
import { COLLECTION, type Collection } from "../src/domain/collection.ts";
import { imagesLayout, managedLayout } from "../src/domain/layout.ts";
import { NoteVectorChanges1764288100000 } from "../migrations/1764288100000-note-vector-changes.ts";
import { AUTO_POLICY } from "../src/domain/index-policy.ts";

/** A collection's item, as tests write it. */
export interface TestItem {
  key: string;
  vector: readonly number[];
  metadata?: object;
  document?: string;
}

/** A connection of its own to a database, with the table that notes changes and nothing else of the service. */
export async function openTables(url: string, settings: Record<string, string> = {}): Promise<Database> {
  const db = await openDatabase({
    config: loadConfig(databaseSettings, { DATABASE_URL: url, ...settings }),
    schema: DATABASE_SCHEMA,
    applicationName: "vector-store-json-test",
    logger: silentLogger(),
  });
  await migrate(db, { migrations: [NoteVectorChanges1764288100000] });
  return db;
}

export function managedCollection(id: number, dimensions: number, storage: "vector" | "json"): Collection {
  return {
    name: `collection_${id}`,
    kind: "managed",
    dimensions,
    elementType: "vector",
    metric: "cosine",
    space: undefined,
    recallTarget: 0.95,
    indexPolicy: AUTO_POLICY,
    textSearchConfig: undefined,
    hashPartitions: undefined,
    reembeddingSpaceId: undefined,
    layout: managedLayout(DATABASE_SCHEMA, id, 1, storage),
    createdAt: new Date(0),
  };
}

export function imagesCollection(dimensions: number): Collection {
  return {
    ...managedCollection(0, dimensions, "json"),
    name: COLLECTION,
    kind: "images",
    layout: imagesLayout(DATABASE_SCHEMA, "json"),
  };
}

/** The tables of a managed collection, as the store makes them. */
export async function createTables(db: Database, collection: Collection): Promise<void> {
  const { layout, dimensions } = collection;
  const type = layout.vector.storage === "json" ? "JSONB" : `vector(${dimensions})`;
  await db.query(`
    CREATE TABLE ${layout.vectors.name} (
      key TEXT COLLATE "C" PRIMARY KEY, embedding ${type} NOT NULL, updated_at TIMESTAMPTZ NOT NULL DEFAULT now())`);
  await db.query(`
    CREATE TABLE ${layout.items?.table.name} (
      key TEXT COLLATE "C" PRIMARY KEY, metadata JSONB NOT NULL DEFAULT '{}', document TEXT)`);
}

/** Adds items by plain SQL, as somebody else might; those with metadata or a document get their row of items. */
export async function addItems(
  db: Pick<Database, "query">,
  { layout }: Collection,
  items: readonly TestItem[],
): Promise<void> {
  const cast = layout.vector.storage === "json" ? "jsonb" : "vector";
  await db.query(
    `INSERT INTO ${layout.vectors.name} (key, embedding)
     SELECT key, embedding::${cast} FROM unnest($1::text[], $2::text[]) AS t (key, embedding)`,
    [items.map(({ key }) => key), items.map(({ vector }) => JSON.stringify(vector))],
  );
  const rich = items.filter(({ metadata, document }) => metadata ?? document);
  await db.query(
    `INSERT INTO ${layout.items?.table.name} (key, metadata, document)
     SELECT key, metadata::jsonb, document FROM unnest($1::text[], $2::text[], $3::text[]) AS t (key, metadata, document)`,
    [
      rich.map(({ key }) => key),
      rich.map(({ metadata }) => JSON.stringify(metadata ?? {})),
      rich.map(({ document }) => document ?? null),
    ],
  );
}

/** Numbers from 0 up to 1 that are the same in every run. */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Vectors around a few centres, every tenth the same as one before it, as float32 values. */
export function clusteredVectors(count: number, dimensions: number, seed = 1): number[][] {
  const random = randomNumbers(seed);
  const vector = (): number[] => Array.from({ length: dimensions }, () => random() - 0.5);
  const centres = Array.from({ length: 12 }, vector);
  const vectors: number[][] = [];
  for (let i = 0; i < count; i++) {
    const copied = i % 10 === 9 ? vectors[Math.floor(random() * i)] : undefined;
    const centre = centres[Math.floor(random() * centres.length)] as number[];
    vectors.push(copied ?? centre.map((value) => Math.fround(value + 0.2 * (random() - 0.5))));
  }
  return vectors;
}
