import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { databaseSettings, migrate, openDatabase, type Database } from "@kindred/postgres";
import { silentLogger, testDatabase } from "@kindred/testing";
import { generationLives } from "../src/adapters/postgres/generation-lives.ts";
import { DATABASE_SCHEMA, migrations } from "../src/adapters/postgres/migrations.ts";

/** Those before there were words. */
const BEFORE = migrations.slice(0, 3);

const closing = new AsyncDisposableStack();
let db: Database;

beforeAll(async () => {
  const { url } = closing.use(await testDatabase());
  db = closing.use(
    await openDatabase({
      config: loadConfig(databaseSettings, { DATABASE_URL: url }),
      schema: DATABASE_SCHEMA,
      applicationName: "generation-tracking-test",
      logger: silentLogger(),
    }),
  );
  await migrate(db, { migrations: BEFORE });
}, 120_000);
afterAll(() => closing.disposeAsync());

/** Ids of the generations with a word. */
async function withWord(word: string): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    "SELECT id FROM generations WHERE prompt_words @@ to_tsquery('simple', $1) ORDER BY id",
    [word],
  );
  return rows.map(({ id }) => id);
}

test("words are known of what was there before, and follow each prompt, whoever writes it", async () => {
  await db.query("INSERT INTO generations (id, prompt) VALUES (1001, 'an old kite'), (1002, 'an old tree')");
  await migrate(db, { migrations });
  await db.query("INSERT INTO generations (id, prompt) VALUES (1003, 'a new kite')");
  expect(await withWord("kite")).toEqual(["1001", "1003"]);
  await db.query("UPDATE generations SET prompt = 'a balloon' WHERE id = 1001");
  await db.query("UPDATE generations SET prompt_words = 'kite' WHERE id = 1002");
  expect(await withWord("kite")).toEqual(["1003"]);
  expect(await withWord("balloon")).toEqual(["1001"]);
}, 60_000);

test("a report of progress writes neither the words of a long prompt anew nor any index", async () => {
  const prompt = Array.from({ length: 10_000 }, (_, i) => (i * 7919).toString(36)).join(" ");
  const { rows } = await db.query<{ id: string }>(
    `INSERT INTO generations (prompt, status, lease_ms, lease_expires_at)
     VALUES ($1, 'running', 60000, now() + INTERVAL '1 minute') RETURNING id`,
    [prompt],
  );
  const id = BigInt(rows[0]?.id ?? 0);
  const size = async (): Promise<number> => {
    const { rows: sizes } = await db.query<{ bytes: string }>(
      "SELECT pg_total_relation_size('generations') AS bytes",
    );
    return Number(sizes[0]?.bytes);
  };
  const lives = generationLives({ db, store: { find: async () => undefined } });
  const before = await size();
  for (let done = 0; done < 30; done++)
    expect(await lives.report(id, { done, total: 30, message: "" })).toBeDefined();
  // The words of one alone take some 100 kB.
  expect((await size()) - before).toBeLessThan(100_000);
}, 60_000);
