import { createClient, type Client } from "@connectrpc/connect";
import {
  GenerationService,
  LineageService,
  ModelCacheService,
  OperationService,
  RetentionService,
  SessionService,
} from "@kindred/contracts/generation-tracking/v1";
import {
  databaseSettings,
  databaseUsage,
  migrate,
  openDatabase,
  openDataSource,
  type Database,
} from "@kindred/postgres";
import { createInMemoryTransport } from "@kindred/rpc";
import { loadConfig } from "@kindred/config";
import { silentLogger, testDatabase } from "@kindred/testing";
import { GenerationEntity } from "../src/adapters/postgres/generation-entity.ts";
import { filteredIds } from "../src/adapters/postgres/filtered-ids.ts";
import { promptOutbox } from "../src/adapters/postgres/prompt-outbox.ts";
import { exportEncoders } from "../src/adapters/parquet/export-encoders.ts";
import { generationLists } from "../src/adapters/postgres/generation-lists.ts";
import { generationLives } from "../src/adapters/postgres/generation-lives.ts";
import { generationVersions } from "../src/adapters/postgres/generation-versions.ts";
import { generationStore } from "../src/adapters/postgres/generation-store.ts";
import { lineageStore } from "../src/adapters/postgres/lineage-store.ts";
import { DATABASE_SCHEMA, migrations } from "../src/adapters/postgres/migrations.ts";
import { modelCacheStore } from "../src/adapters/postgres/model-cache-store.ts";
import { sessionStore } from "../src/adapters/postgres/session-store.ts";
import type { GenerationLives } from "../src/domain/generation-lives.ts";
import { GenerationWatches } from "../src/domain/generation-watches.ts";
import type { GenerationStore } from "../src/domain/generation-store.ts";
import type { ExampleSource } from "../src/domain/lineage/ports.ts";
import type { PromptCollection } from "../src/domain/prompts/prompt-collection.ts";
import type { SessionStore } from "../src/domain/sessions/session.ts";
import { openOperations } from "../src/open-operations.ts";
import { generationRoutes } from "../src/rpc/routes.ts";

export interface Fixture extends AsyncDisposable {
  db: Database;
  store: GenerationStore;
  lives: GenerationLives;
  watches: GenerationWatches;
  /** Through the interceptors of a real server. */
  client: Client<typeof GenerationService>;
  modelCache: Client<typeof ModelCacheService>;
  lineage: Client<typeof LineageService>;
  sessions: Client<typeof SessionService>;
  sessionStore: SessionStore;
  retention: Client<typeof RetentionService>;
  operations: Client<typeof OperationService>;
  /** Empties the tables. */
  clear(): Promise<void>;
}

/** Where nobody replays retrievals. */
const NO_EXAMPLES: ExampleSource = {
  retrieve: () => Promise.reject(new Error("this fixture has no vector store")),
  hasImage: () => Promise.reject(new Error("this fixture has no vector store")),
};

/** Where nobody searches for prompts. */
const NO_PROMPTS: Pick<PromptCollection, "nearest"> = {
  nearest: () => Promise.reject(new Error("this fixture has no vector store")),
};

/** The service's RPCs over a database of their own. */
export async function openFixture(
  options: { examples?: ExampleSource; prompts?: Pick<PromptCollection, "nearest"> } = {},
): Promise<Fixture> {
  await using opening = new AsyncDisposableStack();
  const logger = silentLogger();
  const { url } = opening.use(await testDatabase());
  const db = opening.use(
    await openDatabase({
      config: loadConfig(databaseSettings, { DATABASE_URL: url }),
      schema: DATABASE_SCHEMA,
      applicationName: "generation-tracking-test",
      logger,
    }),
  );
  await migrate(db, { migrations });
  const dataSource = opening.adopt(
    await openDataSource(db, { entities: [GenerationEntity], migrations }),
    (opened) => opened.destroy(),
  );
  const store = generationStore({ db, dataSource });
  const lives = generationLives({ db, store });
  const watches = new GenerationWatches({ store, readVersions: generationVersions(db), everyMs: 20 });
  const sessions = sessionStore(db);
  const operations = opening.use(openOperations(db));
  const routes = generationRoutes({
    retention: operations,
    store,
    lives,
    watches,
    prompts: {
      collection: options.prompts ?? NO_PROMPTS,
      outbox: promptOutbox(db),
      store,
      filtered: filteredIds(db),
      onMissing: () => {},
    },
    lists: generationLists({ db, store }),
    encoders: exportEncoders,
    exportsAtOnce: 5,
    modelCache: modelCacheStore(db),
    lineage: lineageStore({ db, generations: store }),
    examples: options.examples ?? NO_EXAMPLES,
    usage: (limits) => databaseUsage(db, limits),
    sessions,
    idleTimeoutMs: 1_800_000,
  });
  const transport = createInMemoryTransport(routes, { logger });
  const open = opening.move();
  return {
    db,
    store,
    lives,
    watches,
    client: createClient(GenerationService, transport),
    modelCache: createClient(ModelCacheService, transport),
    lineage: createClient(LineageService, transport),
    sessions: createClient(SessionService, transport),
    sessionStore: sessions,
    retention: createClient(RetentionService, transport),
    operations: createClient(OperationService, transport),
    clear: async () => {
      await db.query("TRUNCATE generations, generation_outbox, model_cache, user_sessions CASCADE");
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
