import { expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { databaseSettings, migrate, openDatabase } from "@kindred/postgres";
import { silentLogger, testDatabase } from "@kindred/testing";
import { DATABASE_SCHEMA, migrations } from "../src/adapters/postgres/migrations.ts";
import { modelCacheStore } from "../src/adapters/postgres/model-cache-store.ts";
import { sessionStore } from "../src/adapters/postgres/session-store.ts";
import { endIdleSessions } from "../src/domain/sessions/end-idle-sessions.ts";

test("rows of before, and of users' own SQL, stay as they are and are read; counts go on beyond 32 bits", async () => {
  await using opened = await testDatabase();
  await using db = await openDatabase({
    config: loadConfig(databaseSettings, { DATABASE_URL: opened.url }),
    schema: DATABASE_SCHEMA,
    applicationName: "sessions-migration-test",
    logger: silentLogger(),
  });
  await migrate(db, { migrations: migrations.slice(0, 2) });
  await db.query(`
    INSERT INTO user_sessions (session_id, user_id, start_time, end_time, total_requests, total_generations, session_data) VALUES
      ('on',    'ada', '2026-01-01T00:00:00Z', NULL,                   2147483647, NULL, '{"a": 1}'),
      ('ended', 'ada', '2026-01-02T00:00:00Z', '2026-01-02T01:00:00Z', NULL,       5,    '[1, 2]'),
      (NULL,    NULL,  '2026-01-03T00:00:00Z', NULL,                   0,          0,    NULL)`);
  await db.query("INSERT INTO model_cache (model_name, size_mb) VALUES ('by hand', 2)");
  await migrate(db, { migrations });

  const sessions = sessionStore(db);
  expect(await endIdleSessions({ sessions }, new AbortController().signal)).toBe(0);
  const all = await sessions.list({
    filter: {
      userId: undefined,
      active: undefined,
      startedAfterMicros: undefined,
      startedBeforeMicros: undefined,
    },
    after: undefined,
    limit: 10,
  });
  expect(all.map(({ session }) => session)).toMatchObject([
    { sessionId: "", userId: "", endMicros: undefined, data: undefined },
    {
      sessionId: "ended",
      endMicros: BigInt(Date.parse("2026-01-02T01:00:00Z")) * 1000n,
      totalRequests: 0n,
      totalGenerations: 5n,
      data: undefined,
      expired: false,
    },
    { sessionId: "on", endMicros: undefined, idleTimeoutMicros: undefined, data: { a: 1 } },
  ]);
  const accept = (): void => {};
  const touched = await sessions.touch("on", { requests: 5, set: { b: 2 }, removed: ["a"] }, accept);
  expect(touched).toMatchObject({ totalRequests: 2_147_483_652n, data: { b: 2 } });
  // Nobody's program expects an object where it keeps a list.
  await db.query("UPDATE user_sessions SET session_data = '[1]' WHERE session_id = 'on'");
  expect(await sessions.touch("on", { requests: 1, set: { b: 2 }, removed: [] }, accept)).toBeUndefined();
  expect(await sessions.touch("on", { requests: 1, set: {}, removed: [] }, accept)).toMatchObject({
    totalRequests: 2_147_483_653n,
  });
  expect(await modelCacheStore(db).list()).toMatchObject([
    { modelName: "by hand", sizeMb: 2, present: undefined, verifiedAtMicros: undefined },
  ]);
}, 120_000);
