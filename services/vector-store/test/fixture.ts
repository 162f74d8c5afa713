import { createClient, type Client } from "@connectrpc/connect";
import { loadConfig } from "@kindred/config";
import {
  CollectionService,
  ImageService,
  IndexService,
  OperationService,
  RecallService,
  SearchService,
  VectorService,
} from "@kindred/contracts/vector-store/v1";
import { databaseSettings, migrate, openDatabase, type Database } from "@kindred/postgres";
import { createInMemoryTransport } from "@kindred/rpc";
import { silentLogger, testDatabase } from "@kindred/testing";
import { DATABASE_SCHEMA, migrations } from "../src/adapters/postgres/migrations.ts";
import { prepareVector } from "../src/adapters/postgres/require-vector.ts";
import { openStore, type Store } from "../src/app.ts";
import { COLLECTION } from "../src/domain/collection.ts";
import { vectorStoreRoutes } from "../src/rpc/routes.ts";
import { fakeEmbedding, type FakeEmbedding } from "./fake-embedding.ts";

export { errorOf } from "@kindred/testing";

export interface Fixture extends AsyncDisposable {
  url: string;
  db: Database;
  store: Store;
  embedding: FakeEmbedding;
  /** Through the interceptors of a real server. */
  images: Client<typeof ImageService>;
  search: Client<typeof SearchService>;
  index: Client<typeof IndexService>;
  collections: Client<typeof CollectionService>;
  vectors: Client<typeof VectorService>;
  operations: Client<typeof OperationService>;
  recall: Client<typeof RecallService>;
  /** Empties the catalogue, unpins its space and drops its index; all other collections go. */
  clear(): Promise<void>;
}

/**
 * The service's RPCs over a database of their own.
 * @param options.pgvector false: nobody creates the extension
 */
export async function openFixture(
  options: { settings?: Record<string, string>; pgvector?: boolean } = {},
): Promise<Fixture> {
  await using opening = new AsyncDisposableStack();
  const logger = silentLogger();
  const { url } = opening.use(await testDatabase());
  const db = opening.use(
    await openDatabase({
      config: loadConfig(databaseSettings, { DATABASE_URL: url, ...options.settings }),
      schema: DATABASE_SCHEMA,
      applicationName: "vector-store-test",
      logger,
    }),
  );
  if (options.pgvector !== false) await prepareVector(db);
  await migrate(db, { migrations });
  const embedding = fakeEmbedding();
  const storeOptions = {
    memoryBytes: 256 * 2 ** 20,
    cacheBytes: 64 * 2 ** 20,
    recentQueries: 1000,
    // As long as tests can wait for what they are not about.
    tuningMs: 1000,
    embedding,
  };
  const store = opening.use(await openStore(db, storeOptions));
  const transport = createInMemoryTransport(vectorStoreRoutes({ ...store, embedding }), { logger });
  const open = opening.move();
  return {
    url,
    db,
    store,
    embedding,
    images: createClient(ImageService, transport),
    search: createClient(SearchService, transport),
    index: createClient(IndexService, transport),
    collections: createClient(CollectionService, transport),
    vectors: createClient(VectorService, transport),
    operations: createClient(OperationService, transport),
    recall: createClient(RecallService, transport),
    clear: async () => {
      await db.query("DROP INDEX IF EXISTS embeddings_embedding_hnsw_idx");
      for (const { name } of await store.collections.list()) {
        if (name !== COLLECTION) await store.collections.remove(name, {});
      }
      await db.query("TRUNCATE images, embeddings");
      await db.query("UPDATE collections SET space_id = NULL");
      await db.query("DELETE FROM embedding_spaces");
      store.forgetState();
      embedding.reset();
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

export async function* streamOf<T>(...messages: T[]): AsyncIterable<T> {
  yield* messages;
}
