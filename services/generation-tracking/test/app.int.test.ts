import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { GenerationService } from "@kindred/contracts/generation-tracking/v1";
import { Health, HealthCheckResponse_ServingStatus as Status } from "@kindred/contracts/grpc-health/v1";
import { runTask } from "@kindred/process";
import { openChannel } from "@kindred/rpc";
import { silentLogger, testDatabase, type TestDatabase } from "@kindred/testing";
import { migrations } from "../src/adapters/postgres/migrations.ts";
import { createApp, type App, type Overrides } from "../src/app.ts";
import { configSchema } from "../src/config.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
}, 120_000);
afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
});

const start = (env: Record<string, string> = {}, overrides: Overrides = {}): Promise<App> =>
  createApp(
    loadConfig(configSchema, {
      DATABASE_URL: database.url,
      GRPC_PORT: "0",
      HTTP_PORT: "0",
      METRICS_ADDRESS: "127.0.0.1:1",
      VECTOR_STORE_ADDRESS: "127.0.0.1:1",
      ...env,
    }),
    { logger: silentLogger(), ...overrides },
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
  expect(await runMigrations()).toEqual(migrations.map(({ name }) => `generation_tracking: ${name}`));
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

/** Passes connections on to the database, until it is told to cut them. */
async function openRelay(target: URL) {
  const sockets = new Set<Socket>();
  const server = createServer((incoming) => {
    const outgoing = connect(Number(target.port), target.hostname);
    for (const [from, to] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      sockets.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => sockets.delete(from));
      from.pipe(to);
    }
  });
  const listen = async (port: number): Promise<number> => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  };
  const port = await listen(0);
  const cut = async (): Promise<void> => {
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  const url = new URL(target);
  url.host = `127.0.0.1:${port}`;
  return { url: url.href, cut, restore: () => listen(port), [Symbol.asyncDispose]: cut };
}

test("health says when the database is away, calls say UNAVAILABLE, and both recover", async () => {
  await using relay = await openRelay(new URL(database.url));
  await using app = await start({ DATABASE_URL: relay.url }, { readinessEveryMs: 20 });
  await using channel = openChannel({
    address: `127.0.0.1:${app.ready.grpcPort}`,
    retry: { attempts: 1, initialBackoffMs: 1, maxBackoffMs: 1 },
  });
  const health = createClient(Health, channel.transport);
  const generations = createClient(GenerationService, channel.transport);
  const until = async (status: Status): Promise<void> => {
    while ((await health.check({})).status !== status)
      await new Promise((resolve) => setTimeout(resolve, 10));
  };
  await until(Status.SERVING);
  await relay.cut();
  await until(Status.NOT_SERVING);
  await expect(generations.recordGeneration({ generation: { prompt: "x" } })).rejects.toMatchObject({
    kind: "unavailable",
  });
  await relay.restore();
  await until(Status.SERVING);
  expect((await generations.recordGeneration({ generation: { prompt: "back" } })).generation?.prompt).toBe(
    "back",
  );
});
