import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { openFixture, type Fixture } from "./fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
}, 120_000);
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
});

const tableNames = async (): Promise<string[]> =>
  ((await fixture.index.getDatabaseUsage({})).usage?.tables ?? []).map(({ name }) => name);

test("the service's tables are there with their sizes, and its pool", async () => {
  const { usage } = await fixture.index.getDatabaseUsage({});
  expect(usage?.schema).toBe("vector_store");
  expect(usage?.serverVersion).toBe(fixture.db.capabilities.serverVersion);
  expect(usage?.pool?.total).toBeGreaterThanOrEqual(1);
  expect(usage?.pool?.max).toBe(fixture.db.poolStats().max);
  const images = usage?.tables.find(({ name }) => name === "images");
  expect(images?.indexBytes).toBeGreaterThan(0n);
  expect(await tableNames()).toEqual(expect.arrayContaining(["collections", "embeddings", "images"]));
});

test("a registered table is among them until it is taken out, others are not", async () => {
  await fixture.db.query(
    "CREATE TABLE public.song_embeddings (song_id INTEGER PRIMARY KEY, embedding vector(8))",
  );
  await fixture.db.query("CREATE TABLE public.somebodys (id INTEGER PRIMARY KEY)");
  expect(await tableNames()).not.toContain("public.song_embeddings");
  await fixture.collections.registerCollection({ table: { table: "song_embeddings" } });
  expect((await tableNames()).filter((name) => name.startsWith("public."))).toEqual([
    "public.song_embeddings",
  ]);
  await fixture.db.query("DROP TABLE public.song_embeddings");
  expect(await tableNames()).not.toContain("public.song_embeddings");
});
