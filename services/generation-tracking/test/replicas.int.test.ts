import { spawn } from "node:child_process";
import { once } from "node:events";
import { createClient, type Client } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { GenerationService, GenerationStatus } from "@kindred/contracts/generation-tracking/v1";
import { openChannel } from "@kindred/rpc";
import { silentLogger, testDatabase, type TestDatabase } from "@kindred/testing";
import { createApp } from "../src/app.ts";
import { configSchema } from "../src/config.ts";

// Two processes' worth of the service over one database.

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
}, 120_000);
afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
});

async function openReplica() {
  await using opening = new AsyncDisposableStack();
  const app = opening.use(
    await createApp(
      loadConfig(configSchema, {
        DATABASE_URL: database.url,
        GRPC_PORT: "0",
        HTTP_PORT: "0",
        METRICS_ADDRESS: "127.0.0.1:1",
        VECTOR_STORE_ADDRESS: "127.0.0.1:1",
        GENERATION_SWEEP_INTERVAL: "20ms",
      }),
      { logger: silentLogger() },
    ),
  );
  const channel = opening.use(openChannel({ address: `127.0.0.1:${app.ready.grpcPort}` }));
  const client: Client<typeof GenerationService> = createClient(GenerationService, channel.transport);
  const open = opening.move();
  return { client, app, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

const LEASE = { seconds: 1n, nanos: 0 };

test("what is abandoned fails by itself, once, and what is alive does not; whoever watches elsewhere sees it", async () => {
  await using one = await openReplica();
  await using other = await openReplica();
  const begin = async (prompt: string): Promise<bigint> =>
    (await one.client.startGeneration({ generation: { prompt }, lease: LEASE })).generation?.id ?? 0n;
  const alive = await one.client.startGeneration({ generation: { prompt: "alive" } });
  const abandoned = await Promise.all(Array.from({ length: 30 }, (_, i) => begin(`abandoned ${i}`)));
  const watched = await Promise.all(
    abandoned.map(async (id) => (await Array.fromAsync(other.client.watchGeneration({ id }))).at(-1)),
  );
  for (const reply of watched) {
    expect(reply?.generation).toMatchObject({
      status: GenerationStatus.FAILED,
      errorMessage: "abandoned: for 1 s nobody said that it was alive",
    });
    const { createdAt, finishedAt } = reply?.generation ?? {};
    const lasted = Number(finishedAt?.seconds) - Number(createdAt?.seconds);
    expect(lasted).toBeGreaterThanOrEqual(1);
  }
  const { generation } = await other.client.getGeneration({ id: alive.generation?.id ?? 0n });
  expect(generation?.status).toBe(GenerationStatus.RUNNING);
}, 60_000);

test("a replica that shuts down ends its watches at once; the generation goes on", async () => {
  await using other = await openReplica();
  let id: bigint;
  {
    await using one = await openReplica();
    const started = await one.client.startGeneration({ generation: { prompt: "x" } });
    id = started.generation?.id ?? 0n;
    const stream = one.client.watchGeneration({ id })[Symbol.asyncIterator]();
    await stream.next();
    const [next] = await Promise.allSettled([stream.next(), one.app[Symbol.asyncDispose]()]);
    expect(next).toMatchObject({ status: "rejected", reason: { kind: "unavailable" } });
  }
  const { generation } = await other.client.completeGeneration({ id });
  expect(generation?.status).toBe(GenerationStatus.COMPLETED);
}, 60_000);

test("a maker that is killed leaves a generation that fails", async () => {
  await using one = await openReplica();
  const url = `http://127.0.0.1:${one.app.ready.httpPort}/kindred.generation_tracking.v1.GenerationService`;
  // A process of its own: starts one, keeps it alive, says its id, and goes on until it is killed.
  const maker = spawn(
    process.execPath,
    [
      "--input-type=module",
      "-e",
      `const call = async (method, body) => (await fetch("${url}/" + method, { method: "POST",
         headers: { "content-type": "application/json" }, body: JSON.stringify(body) })).json();
       const { generation } = await call("StartGeneration", { generation: { prompt: "killed" }, lease: "5s" });
       for (let done = 1; ; done++) {
         await call("ReportProgress", { id: generation.id, progress: { done } });
         if (done === 3) process.stdout.write(generation.id);
         await new Promise((resolve) => setTimeout(resolve, 100));
       }`,
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const [said] = (await once(maker.stdout, "data")) as [Buffer];
  const id = BigInt(String(said));
  expect((await one.client.getGeneration({ id })).generation?.status).toBe(GenerationStatus.RUNNING);
  maker.kill("SIGKILL");
  const seen = await Array.fromAsync(one.client.watchGeneration({ id }));
  expect(seen.at(-1)?.generation).toMatchObject({ status: GenerationStatus.FAILED, prompt: "killed" });
  expect(seen.at(-1)?.generation?.progress?.done).toBeGreaterThanOrEqual(3);
}, 60_000);
