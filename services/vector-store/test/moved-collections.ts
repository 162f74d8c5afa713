import { expect } from "@jest/globals";
import { COLLECTION } from "../src/domain/collection.ts";
import type { EmbeddingSpace } from "../src/domain/embedding-space.ts";
import { SPACE, vectorIn } from "./fake-embedding.ts";
import type { Fixture } from "./fixture.ts";

export const textOf = (number: number, version = 0): string => `item${number} version${version} among others`;
export const keyOf = (number: number): string => `key-${String(number).padStart(5, "0")}`;
export const THINGS = "things";

/** Collections to be moved between embedding spaces, and what is in the database before, meanwhile and after. */
export function movedCollections(fixture: () => Fixture) {
  async function createThings(count: number, init: object = {}): Promise<void> {
    await fixture().collections.createCollection({ name: THINGS, spaceId: SPACE.id, ...init });
    const numbers = Array.from({ length: count }, (_, i) => i);
    await fixture().vectors.upsert({
      collection: THINGS,
      items: { keys: numbers.map(keyOf), texts: numbers.map((number) => textOf(number)) },
    });
  }

  async function createImages(count: number): Promise<void> {
    await fixture().images.batchAddImages(
      (async function* () {
        yield {
          images: Array.from({ length: count }, (_, i) => ({
            image: { imagePath: `${keyOf(i)}.png`, description: textOf(i) },
          })),
        };
      })(),
    );
  }

  async function createIndex(table: string): Promise<void> {
    await fixture().db.query(
      `CREATE INDEX ${table}_embedding_hnsw_idx ON ${table} USING hnsw (embedding vector_cosine_ops)`,
    );
    fixture().store.forgetState();
  }

  async function vectorsTable(name = THINGS): Promise<string> {
    fixture().store.forgetState();
    return (await fixture().store.collections.get(name)).layout.vectors.name;
  }

  /** Every vector as numbers, by the text that it should stand for. */
  async function storedVectors(name: string): Promise<{ text: string; vector: number[] }[]> {
    const table = await vectorsTable(name);
    const { rows } = await fixture().db.query<{ text: string; vector: string }>(
      name === COLLECTION
        ? `SELECT i.description AS text, v.embedding::text AS vector FROM ${table} v JOIN images i ON i.id = v.image_id ORDER BY v.id`
        : `SELECT i.document AS text, v.embedding::text AS vector
             FROM ${table} v LEFT JOIN ${table.replace(/_vectors.*/, "_items")} i ON i.key = v.key ORDER BY v.key`,
    );
    return rows.map(({ text, vector }) => ({ text, vector: JSON.parse(vector) as number[] }));
  }

  async function expectAllIn(space: EmbeddingSpace, name: string, count?: number): Promise<void> {
    const stored = await storedVectors(name);
    if (count !== undefined) expect(stored).toHaveLength(count);
    for (const { text, vector } of stored) {
      const expected = vectorIn(space, text);
      expect(vector).toHaveLength(expected.length);
      const worst = Math.max(...vector.map((value, i) => Math.abs(value - (expected[i] as number))));
      expect([text, worst < 0.001]).toEqual([text, true]);
    }
  }

  /** Tables, triggers and log entries that a move leaves behind. */
  async function leftovers(): Promise<string[]> {
    const { rows } = await fixture().db.query<{ name: string }>(
      `SELECT tgname AS name FROM pg_trigger WHERE NOT tgisinternal AND (tgname LIKE 'note_reemb%' OR tgname LIKE 'refuse%')
       UNION ALL SELECT 'change ' || coalesce(key, 'all') FROM reembedding_changes
       UNION ALL SELECT relname FROM pg_class WHERE relname LIKE '%embeddings_next%' OR relname ~ '_new$|_old$'
       UNION ALL SELECT name || ' is being moved' FROM collections WHERE reembedding_space_id IS NOT NULL
       ORDER BY name`,
    );
    return rows.map(({ name }) => name);
  }

  async function managedTables(): Promise<string[]> {
    const { rows } = await fixture().db.query<{ name: string }>(
      `SELECT relname AS name FROM pg_class WHERE relkind IN ('r', 'i', 'S') AND relnamespace = 'vector_store'::regnamespace
          AND relname ~ '^(collection_|embeddings|images)' ORDER BY relname`,
    );
    return rows.map(({ name }) => name);
  }

  const search = (name: string, text: string, k = 3) =>
    fixture().search.search({ collection: name, query: { case: "text", value: text }, k });

  return {
    createThings,
    createImages,
    createIndex,
    vectorsTable,
    storedVectors,
    expectAllIn,
    leftovers,
    managedTables,
    search,
  };
}
