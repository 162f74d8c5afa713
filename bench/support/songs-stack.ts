import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { startProcesses } from "@kindred/process";
import { temporaryFolder } from "@kindred/testing";
import { Client } from "pg";
import { startDatabase } from "./database.ts";

/** What `kindred songs` works with, each a process of its own; disposing of it ends all of them. */
export interface SongsStack extends AsyncDisposable {
  /** What the database is, for people. */
  readonly database: string;
  /** Kindred's own. */
  readonly databaseUrl: string;
  /** An empty database for the songs, on the same server. */
  readonly sourceUrl: string;
  /** For everything that has to go when the stack goes. */
  readonly folder: string;
  /** Environment of the `kindred` command. */
  readonly env: Readonly<Record<string, string>>;
  /** host:port of the vector store's gRPC port. */
  readonly storeAddress: string;
}

/** The name under which the provider's model is served. */
export const BENCH_MODEL = "bench";

const PROVIDER = fileURLToPath(new URL("embedding-provider.ts", import.meta.url));

/** The database's disk is what it is for people: nothing about durability is switched off. */
const DATABASE_SETTINGS = { shared_buffers: "512MB", max_wal_size: "4GB", maintenance_work_mem: "1GB" };

export async function startSongsStack(options: { dimensions: number }): Promise<SongsStack> {
  await using starting = new AsyncDisposableStack();
  const { path: folder } = starting.use(await temporaryFolder());
  const server = starting.use(await startDatabase(DATABASE_SETTINGS));
  const sourceUrl = await createDatabase(server.url, "music");
  const provider = starting.use(await startProvider(options.dimensions));
  const catalogue = join(folder, "catalogue.json");
  const model = {
    name: BENCH_MODEL,
    kind: "remote",
    provider: "bench",
    baseUrl: provider.baseUrl,
    model: "bench",
    dimensions: options.dimensions,
    maxTokensPerRequest: 1_000_000,
    pricePerMillionTokens: 0.1,
  };
  await writeFile(catalogue, JSON.stringify({ models: [model] }));
  const stack = starting.use(
    await startProcesses({
      services: ["embedding", "vector-store"],
      databaseUrl: server.url,
      env: {
        // That there is no metrics service is as it should be.
        LOG_LEVEL: "error",
        EMBEDDING_MODELS: BENCH_MODEL,
        EMBEDDING_CATALOGUE: catalogue,
        // What a benchmark measures, it has begun itself.
        INDEX_MAINTENANCE_INTERVAL: "0s",
      },
      origin: { mediaRoot: folder },
      onLog: (name, line) => console.error(`${name}: ${line}`),
    }),
  );
  await stack.ready;
  const running = starting.move();
  return {
    database: server.description,
    databaseUrl: server.url,
    sourceUrl,
    folder,
    env: {
      POSTGRES_URL: sourceUrl,
      KINDRED_URL: stack.originUrl as string,
      KINDRED_HOME: join(folder, "home"),
      NO_COLOR: "1",
    },
    storeAddress: stack.addresses["vector-store"] as string,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function createDatabase(serverUrl: string, name: string): Promise<string> {
  const client = new Client({ connectionString: serverUrl });
  await client.connect();
  await client.query(`CREATE DATABASE ${name}`);
  await client.end();
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

async function startProvider(dimensions: number): Promise<AsyncDisposable & { baseUrl: string }> {
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", PROVIDER, JSON.stringify({ dimensions })],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  const { baseUrl } = JSON.parse(line) as { baseUrl: string };
  return {
    baseUrl,
    [Symbol.asyncDispose]: async () => {
      const closed = once(child, "close");
      child.stdin.end();
      await closed;
    },
  };
}
