import { fileURLToPath } from "node:url";
import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { GenerationService } from "@kindred/contracts/generation-tracking/v1";
import { Health, HealthCheckResponse_ServingStatus as Status } from "@kindred/contracts/grpc-health/v1";
import { runTask } from "@kindred/process";
import { openChannel } from "@kindred/rpc";
import { silentLogger, testDatabase, type TestDatabase } from "@kindred/testing";
import { createApp, type App } from "../src/app.ts";
import { configSchema } from "../src/config.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
}, 120_000);
afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
});

const start = (env: Record<string, string> = {}): Promise<App> =>
  createApp(
    loadConfig(configSchema, {
      DATABASE_URL: database.url,
      GRPC_PORT: "0",
      HTTP_PORT: "0",
      METRICS_ADDRESS: "127.0.0.1:1",
      ...env,
    }),
    { logger: silentLogger() },
  );

/** What migrate.ts prints, a line each. */
async function runMigrations(): Promise<string[]> {
  const printed: string[] = [];
  await runTask({
    entry: fileURLToPath(new URL("../src/migrate.ts", import.meta.url)),
    env: { DATABASE_URL: database.url, LOG_LEVEL: "error" },
    onLog: (line) => printed.push(line),
  });
  return printed;
}

test("migrate.ts names each migration that it applied, and then has nothing to do", async () => {
  expect(await runMigrations()).toEqual(["generation_tracking: CreateGenerations1763683200000"]);
  expect(await runMigrations()).toEqual([]);
});

test("what one process recorded another one lists, over gRPC; health says so", async () => {
  let id: bigint | undefined;
  {
    await using app = await start();
    await using channel = openChannel({ address: `127.0.0.1:${app.ready.grpcPort}` });
    expect(await createClient(Health, channel.transport).check({})).toMatchObject({ status: Status.SERVING });
    const client = createClient(GenerationService, channel.transport);
    ({ id } = (await client.recordGeneration({ generation: { prompt: "stays" } })).generation ?? {});
  }
  await using app = await start({ MIGRATE_ON_START: "false" });
  await using channel = openChannel({ address: `127.0.0.1:${app.ready.grpcPort}` });
  const { generations } = await createClient(GenerationService, channel.transport).listGenerations({});
  expect(generations).toMatchObject([{ id, prompt: "stays" }]);
});

test("JSON over the HTTP port: 64-bit integers are text, errors name the field", async () => {
  await using app = await start();
  const call = async (method: string, body: unknown) => {
    const response = await fetch(
      `http://127.0.0.1:${app.ready.httpPort}/kindred.generation_tracking.v1.GenerationService/${method}`,
      { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) },
    );
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const recorded = await call("RecordGeneration", {
    generation: { prompt: "x", seed: "9223372036854775807" },
  });
  expect(recorded).toMatchObject({ status: 200, body: { generation: { seed: "9223372036854775807" } } });
  const refused = await call("RecordGeneration", { generation: { prompt: "" } });
  expect(refused).toMatchObject({
    status: 400,
    body: { code: "invalid_argument", message: "generation.prompt must not be empty" },
  });
});
