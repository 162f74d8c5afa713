import { afterAll, beforeAll, beforeEach, expect, jest, test } from "@jest/globals";
import { EntitySchema, type MigrationInterface, type QueryRunner } from "typeorm";
import { migrate, openDataSource, type Database, type EmbeddedServer } from "../src/index.ts";
import { newDatabase, open, startServer } from "./fixtures.ts";

// Servers start and end here, which takes its time on a busy machine.
jest.setTimeout(120_000);

class CreateImages1700000000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query("CREATE TABLE images (id bigserial PRIMARY KEY, path text UNIQUE NOT NULL)");
  }
  async down(runner: QueryRunner): Promise<void> {
    await runner.query("DROP TABLE images");
  }
}

class AddWidth1700000000002 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query("ALTER TABLE images ADD COLUMN width int");
  }
  async down(runner: QueryRunner): Promise<void> {
    await runner.query("ALTER TABLE images DROP COLUMN width");
  }
}

class Break1700000000003 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query("CREATE TABLE half (id int)");
    await runner.query("ALTER TABLE nowhere ADD COLUMN x int");
  }
  async down(): Promise<void> {}
}

interface Image {
  id: string;
  path: string;
  width: number | null;
}

const imageEntity = new EntitySchema<Image>({
  name: "Image",
  tableName: "images",
  columns: {
    id: { type: "bigint", primary: true, generated: "increment" },
    path: { type: "text", unique: true },
    width: { type: "int", nullable: true },
  },
});

let native: EmbeddedServer;
beforeAll(async () => {
  native = await startServer("native");
});
afterAll(async () => {
  await native[Symbol.asyncDispose]();
});

let url: string;
beforeEach(async () => {
  url = await newDatabase(native);
});

const tables = async (db: Database): Promise<string[]> =>
  (
    await db.query<{ name: string }>(
      "SELECT schemaname || '.' || tablename AS name FROM pg_tables WHERE schemaname IN ('shop', 'public') ORDER BY 1",
    )
  ).rows.map((row) => row.name);

const all = [CreateImages1700000000001, AddWidth1700000000002];

test("applies what is new, in order, in the service's schema", async () => {
  await using db = await open(url);
  expect(await migrate(db, { migrations: [CreateImages1700000000001] })).toEqual([
    "CreateImages1700000000001",
  ]);
  expect(await migrate(db, { migrations: all.toReversed() })).toEqual(["AddWidth1700000000002"]);
  expect(await migrate(db, { migrations: all })).toEqual([]);
  expect(await tables(db)).toEqual(["shop.images", "shop.schema_migrations"]);
});

test("two services in one database keep apart", async () => {
  await using shop = await open(url);
  await using depot = await open(url, {}, "depot");
  await Promise.all([migrate(shop, { migrations: all }), migrate(depot, { migrations: all })]);
  await shop.query("INSERT INTO images (path) VALUES ('a.png')");
  expect((await depot.query("SELECT * FROM images")).rows).toEqual([]);
});

test("several replicas at once apply each migration once, without a second connection to spare", async () => {
  const replicas = await Promise.all(
    [1, 2, 3, 4].map(() => open(url, { DB_POOL_SIZE: "1", DB_MAX_OVERFLOW: "0" })),
  );
  const applied = await Promise.all(replicas.map((db) => migrate(db, { migrations: all })));
  await Promise.all(replicas.map((db) => db[Symbol.asyncDispose]()));
  expect(applied.flat().toSorted()).toEqual(["AddWidth1700000000002", "CreateImages1700000000001"]);
});

test("a migration that fails leaves nothing of itself, and what was before it stays", async () => {
  await using db = await open(url);
  const failing = migrate(db, { migrations: [...all, Break1700000000003] });
  await expect(failing).rejects.toMatchObject({
    kind: "failed-precondition",
    message: expect.stringMatching(/Break1700000000003.*"nowhere" does not exist/),
  });
  expect(await tables(db)).toEqual(["shop.images", "shop.schema_migrations"]);
  expect(await migrate(db, { migrations: all })).toEqual([]);
  // The lock is free again, and the limit of statements is back.
  expect((await db.query("SHOW statement_timeout")).rows).toEqual([{ statement_timeout: "30s" }]);
});

test.each(["native", "pglite"] as const)("TypeORM's repositories use the same pool (%s)", async (kind) => {
  await using cleanup = new AsyncDisposableStack();
  const server = kind === "native" ? native : cleanup.use(await startServer("pglite"));
  const db = cleanup.use(await open(kind === "native" ? url : server.url));
  await migrate(db, { migrations: all });
  const source = await openDataSource(db, { entities: [imageEntity], migrations: all });
  const images = source.getRepository(imageEntity);
  const saved = await images.save({ path: "a.png", width: 7 });
  expect(saved.id).toBe("1");
  await source.transaction(async (manager) => {
    await manager.getRepository(imageEntity).update({ path: "a.png" }, { width: 8 });
    expect(await manager.getRepository(imageEntity).countBy({ width: 8 })).toBe(1);
  });
  expect((await db.query("SELECT path, width FROM images")).rows).toEqual([{ path: "a.png", width: 8 }]);
  expect(db.poolStats()).toMatchObject({ total: 1, idle: 1 });
  await expect(images.insert({ path: "a.png" })).rejects.toMatchObject({ driverError: { code: "23505" } });
  await source.destroy();
  expect((await db.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
});
