import { expect, test } from "@jest/globals";
import { useFixture } from "./use-fixture.ts";

const fixture = useFixture({ clear: false });

test("what the service has in its database: its tables with their sizes, and its pool", async () => {
  const { usage } = await fixture.client.getDatabaseUsage({}, { timeoutMs: 20_000 });
  expect(usage?.schema).toBe("generation_tracking");
  expect(usage?.serverVersion).toBe(fixture.db.capabilities.serverVersion);
  expect(usage?.pool).toMatchObject({ waiting: 0, max: fixture.db.poolStats().max });
  expect(usage?.tables.map(({ name }) => name)).toEqual(
    expect.arrayContaining(["generations", "model_cache", "user_sessions"]),
  );
  const generations = usage?.tables.find(({ name }) => name === "generations");
  expect(generations?.indexBytes).toBeGreaterThan(0n);
});
