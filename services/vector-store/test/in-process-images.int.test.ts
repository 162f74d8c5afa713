import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { databaseSettings, migrate, openDatabase, type Database } from "@kindred/postgres";
import { silentLogger, testDatabase } from "@kindred/testing";
import { inProcessSearch } from "../src/adapters/in-process/in-process-search.ts";
import { DATABASE_SCHEMA, migrations } from "../src/adapters/postgres/migrations.ts";
import { DIMENSIONS } from "../src/domain/collection.ts";
import type { ItemQuery } from "../src/domain/item-ports.ts";
import { IMAGE_ID_FIELD } from "../src/domain/layout.ts";
import { imagesCollection } from "./json-collections.ts";

const IMAGES = 40;
const PER_IMAGE = 3;
const stores = new AsyncDisposableStack();
let db: Database;

beforeAll(async () => {
  const { url } = stores.use(await testDatabase());
  db = stores.use(
    await openDatabase({
      config: loadConfig(databaseSettings, { DATABASE_URL: url }),
      schema: DATABASE_SCHEMA,
      applicationName: "vector-store-json-images-test",
      logger: silentLogger(),
    }),
  );
  await migrate(db, { migrations });
  await db.query(
    `INSERT INTO images (id, image_path, description) SELECT i, 'p' || i, 'picture ' || i FROM generate_series(1, $1::integer) i`,
    [IMAGES],
  );
  // Ids run against the images' order, and only four different vectors are there, so that images decide between equal hits.
  await db.query(
    `INSERT INTO embeddings (id, image_id, embedding, embedding_key, embedding_metadata)
     SELECT 1000 - i * $2::integer - c, i, to_jsonb(array_fill(1::float4, ARRAY[$3::integer]) || (i % 4)::float4), c::text,
            jsonb_build_object('caption', c)
       FROM generate_series(1, $1::integer) i, generate_series(1, $2::integer) c`,
    [IMAGES, PER_IMAGE, DIMENSIONS - 1],
  );
}, 60_000);
afterAll(() => stores.disposeAsync());

const query = (changes: Partial<ItemQuery>): ItemQuery => ({
  collection: imagesCollection(DIMENSIONS),
  vector: new Uint8Array(new Float32Array(DIMENSIONS).fill(1, 0, DIMENSIONS - 1).buffer),
  metric: "l2",
  filter: undefined,
  excludedKeys: [],
  group: undefined,
  k: 1000,
  candidateLimit: 1000,
  scan: { method: "exact" },
  projection: { vector: false, metadata: "all", document: false },
  ...changes,
});

test.each([2 ** 24, 0])(
  "equal hits come by image, then embedding (%i bytes remembered)",
  async (cacheBytes) => {
    const search = inProcessSearch(db, { cacheBytes });
    const { hits } = await search.nearest(query({}), {});
    const found = hits.map(({ distance, image, key }) => [distance, Number(image?.id), Number(key)]);
    expect(found).toHaveLength(IMAGES * PER_IMAGE);
    const sorted = found.toSorted(
      (a, b) => a.map((value, i) => value - (b[i] as number)).find((difference) => difference !== 0) ?? 0,
    );
    expect(found).toEqual(sorted);
    expect(hits[0]).toMatchObject({
      distance: 0,
      key: String(1000 - 4 * PER_IMAGE - PER_IMAGE),
      metadata: { caption: PER_IMAGE },
      image: { id: 4n, imagePath: "p4", description: "picture 4", embeddingCount: PER_IMAGE },
    });
  },
);

test("hits are images when they are grouped by image, and a filter on a column leaves some out", async () => {
  const search = inProcessSearch(db, { cacheBytes: 2 ** 24 });
  const asked = query({
    group: { path: [IMAGE_ID_FIELD], size: 1 },
    k: 12,
    filter: { kind: "not", filter: { kind: "eq", path: [IMAGE_ID_FIELD], value: 8n } },
  });
  const { hits, rowsScanned } = await search.nearest(asked, {});
  expect(hits.map(({ image }) => Number(image?.id))).toEqual([4, 12, 16, 20, 24, 28, 32, 36, 40, 1, 5, 9]);
  expect(rowsScanned).toBe((IMAGES - 1) * PER_IMAGE);
  const state = await search.state(asked.collection);
  expect(state).toMatchObject({ indexes: [], iterativeScans: false });
});
