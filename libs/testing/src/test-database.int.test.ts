import { expect, test } from "@jest/globals";
import { Client } from "pg";
import { testDatabase } from "./index.ts";

async function rowsOf(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows as unknown[];
  } finally {
    await client.end();
  }
}

test("two test databases know nothing of each other", async () => {
  await using first = await testDatabase();
  await using second = await testDatabase();
  await rowsOf(first.url, "CREATE TABLE only_here (id int)");
  expect(await rowsOf(second.url, "SELECT to_regclass('only_here') AS found")).toEqual([{ found: null }]);
  expect(await rowsOf(first.url, "SELECT to_regclass('only_here')::text AS found")).toEqual([
    { found: "only_here" },
  ]);
});

test("it comes with pgvector when asked, and is gone afterwards", async () => {
  const database = await testDatabase({ extension: true });
  expect(
    await rowsOf(database.url, "SELECT extname FROM pg_extension WHERE extname = 'vector'"),
  ).toHaveLength(1);
  await database[Symbol.asyncDispose]();
  await expect(rowsOf(database.url, "SELECT 1")).rejects.toThrow(/does not exist|ECONNREFUSED/);
});
