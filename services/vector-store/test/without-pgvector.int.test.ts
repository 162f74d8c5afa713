import { randomBytes } from "node:crypto";
import { createClient } from "@connectrpc/connect";
import { describe, expect, jest, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { CollectionService, ElementType, IndexService } from "@kindred/contracts/vector-store/v1";
import { openChannel } from "@kindred/rpc";
import { silentLogger, testDatabase } from "@kindred/testing";
import pg from "pg";
import { prepareVector } from "../src/adapters/postgres/require-vector.ts";
import { createApp } from "../src/app.ts";
import { configSchema } from "../src/config.ts";
import { errorOf, openFixture } from "./fixture.ts";

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

describe("a database in which nobody has created pgvector", () => {
  test("keeps the vectors of all collections as JSON, until the extension appears", async () => {
    await using fixture = await openFixture({ pgvector: false });
    const { collections, db, store } = fixture;
    const typeOf = async (table: string): Promise<string | undefined> => {
      const { rows } = await db.query<{ type: string }>(
        `SELECT format_type(atttypid, atttypmod) AS type FROM pg_attribute
          WHERE attrelid = to_regclass($1) AND attname = 'embedding'`,
        [table],
      );
      return rows[0]?.type;
    };
    const { collection } = await collections.createCollection({ name: "songs", dimensions: 3 });
    expect(collection).toMatchObject({ storedAsJson: true, elementType: ElementType.VECTOR, dimensions: 3 });
    expect(await typeOf("embeddings")).toBe("jsonb");
    expect(await typeOf(collection?.table?.table as string)).toBe("jsonb");
    await db.query(`INSERT INTO ${collection?.table?.table} (key, embedding) VALUES ('a', '[1, 2, 3]')`);
    expect(await collections.getCollectionStatistics({ name: "songs" })).toMatchObject({
      rows: 1n,
      plan: "in_process",
      indexes: [],
    });
    for (const elementType of [ElementType.HALFVEC, ElementType.BIT]) {
      const refused = collections.createCollection({ name: "other", dimensions: 3, elementType });
      expect(await errorOf(refused)).toMatchObject({
        kind: "failed-precondition",
        message: expect.stringContaining("without pgvector"),
      });
    }
    await db.query("CREATE TABLE public.mine (id INTEGER PRIMARY KEY, v JSONB NOT NULL)");
    const registered = collections.registerCollection({ table: { table: "mine" } });
    expect((await errorOf(registered)).message).toContain("has no column of type vector, halfvec or bit");

    const made = collections.registerCollection({
      table: { table: "made", keyColumn: "id", vectorColumn: "v" },
      createTable: { dimensions: 3 },
    });
    expect(await errorOf(made)).toMatchObject({
      kind: "failed-precondition",
      message: expect.stringContaining("without pgvector there are no columns of vectors"),
    });

    await prepareVector(db);
    store.forgetState();
    const before = await collections.listCollections({});
    expect(before.collections.map(({ name, storedAsJson }) => [name, storedAsJson])).toEqual([
      ["images", true],
      ["songs", true],
    ]);
    const later = await collections.createCollection({ name: "later", dimensions: 3 });
    expect(later.collection).toMatchObject({ storedAsJson: false });
    expect(await typeOf(later.collection?.table?.table as string)).toBe("vector(3)");
    await db.query(
      `ALTER TABLE ${collection?.table?.table} ALTER COLUMN embedding TYPE vector(3) USING embedding::text::vector`,
    );
    store.forgetState();
    expect((await collections.getCollection({ name: "songs" })).collection?.storedAsJson).toBe(false);
  }, 60_000);
});

test("the service starts where its role may not create pgvector, says what to do, and registers only what it may read", async () => {
  await using database = await testDatabase();
  if (database.kind === "pglite") {
    process.stderr.write("not run: PGlite has one role, which may do everything\n");
    return;
  }
  const role = `kindred_${randomBytes(6).toString("hex")}`;
  const url = new URL(database.url);
  url.username = role;
  url.password = "secret";
  await withClient(database.url, async (admin) => {
    await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
    await admin.query(`CREATE SCHEMA vector_store AUTHORIZATION ${role}`);
    await admin.query("CREATE TABLE public.hidden (id INTEGER PRIMARY KEY, v BIT(8))");
  });
  try {
    const logger = silentLogger();
    const warn = jest.spyOn(logger, "warn");
    const config = loadConfig(configSchema, {
      DATABASE_URL: url.href,
      GRPC_PORT: "0",
      HTTP_PORT: "0",
      METRICS_ADDRESS: "127.0.0.1:1",
      EMBEDDING_ADDRESS: "127.0.0.1:1",
    });
    await using app = await createApp(config, { logger });
    expect(warn).toHaveBeenCalledWith(
      expect.stringMatching(
        /kept as JSON and compared in this process.*run CREATE EXTENSION vector.*upgrade-vectors/,
      ),
    );
    await using channel = openChannel({ address: `127.0.0.1:${app.ready.grpcPort}` });
    const collections = createClient(CollectionService, channel.transport);
    const { collection } = await collections.createCollection({ name: "songs", dimensions: 384 });
    expect(collection?.storedAsJson).toBe(true);
    expect(await createClient(IndexService, channel.transport).getStatistics({})).toMatchObject({
      totalEmbeddings: 0n,
      indexes: [],
    });
    const registered = await errorOf(collections.registerCollection({ table: { table: "hidden" } }));
    expect(registered).toMatchObject({
      kind: "failed-precondition",
      message: expect.stringContaining(`may not be read by ${role}: GRANT USAGE ON SCHEMA`),
    });
  } finally {
    await withClient(database.url, async (admin) => {
      await admin.query(`DROP OWNED BY ${role} CASCADE`);
      await admin.query(`DROP ROLE ${role}`);
    });
  }
}, 60_000);
