import { expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { databaseSettings, poolLimits } from "./settings.ts";

const limits = (settings: Record<string, string>) =>
  poolLimits(loadConfig(databaseSettings, { DATABASE_URL: "postgresql://localhost/x", ...settings }));

test.each([
  [{}, { kept: 5, overflow: 10 }],
  [{ DB_POOL_PROFILE: "batch" }, { kept: 15, overflow: 0 }],
  [{ DB_POOL_PROFILE: "single" }, { kept: 1, overflow: 0 }],
  [{ DB_POOL_SIZE: "10" }, { kept: 10, overflow: 20 }],
  [
    { DB_POOL_SIZE: "4", DB_MAX_OVERFLOW: "1" },
    { kept: 4, overflow: 1 },
  ],
  [
    { DB_POOL_PROFILE: "batch", DB_POOL_SIZE: "8" },
    { kept: 8, overflow: 16 },
  ],
  [{ DB_MAX_OVERFLOW: "0" }, { kept: 5, overflow: 0 }],
])("%j makes %j", (settings, expected) => {
  expect(limits(settings)).toMatchObject(expected);
});

test("only the profile without pooling closes a connection after its use", () => {
  expect(limits({ DB_POOL_PROFILE: "single" }).usesPerConnection).toBe(1);
  expect(limits({}).usesPerConnection).toBe(Infinity);
});

test("what people know is read as they write it", () => {
  const config = loadConfig(databaseSettings, {
    DATABASE_URL: "postgresql://localhost/x",
    DB_POOL_RECYCLE: "3600",
    DB_ECHO: "1",
  });
  expect(config).toMatchObject({ DB_POOL_RECYCLE: 3_600_000, DB_ECHO: true, DB_POOL_PRE_PING: true });
});
