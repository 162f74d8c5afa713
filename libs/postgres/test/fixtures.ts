import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { loadConfig } from "@kindred/config";
import { resolvePlaces } from "@kindred/process";
import { silentLogger } from "@kindred/testing";
import { Client } from "pg";
import {
  databaseSettings,
  openDatabase,
  startEmbeddedServer,
  type Database,
  type DatabaseConfig,
  type EmbeddedServer,
} from "../src/index.ts";

export const cacheDir = resolvePlaces(process.env).cache;

/** A folder that the database's user can enter; removed with all that is in it. */
export async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "kindred-postgres-test-"));
  await chmod(path, 0o755);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** A server on a folder of its own. */
export async function startServer(kind: "native" | "pglite"): Promise<EmbeddedServer> {
  await using cleanup = new AsyncDisposableStack();
  const folder = cleanup.use(await temporaryFolder());
  const server = cleanup.use(
    await startEmbeddedServer({ kind, dataDir: folder.path, cacheDir, logger: silentLogger() }),
  );
  const owned = cleanup.move();
  return { ...server, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** The URL of a new, empty database on a native server. */
export async function newDatabase(server: EmbeddedServer): Promise<string> {
  const name = `t_${randomBytes(6).toString("hex")}`;
  await withClient(server.url, (client) => client.query(`CREATE DATABASE ${name}`));
  const url = new URL(server.url);
  url.pathname = `/${name}`;
  return url.href;
}

/** A connection of its own, beside any pool. */
export async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Waits until the value is there, or gives the last one that was seen for the test to fail on. */
export async function eventually<T>(read: () => T | Promise<T>, wanted: T): Promise<T> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const value = await read();
    if (value === wanted || performance.now() > deadline) return value;
    await sleep(20);
  }
}

export function configFor(url: string, settings: Record<string, string> = {}): DatabaseConfig {
  return loadConfig(databaseSettings, { DATABASE_URL: url, ...settings });
}

export function open(url: string, settings: Record<string, string> = {}, schema = "shop"): Promise<Database> {
  return openDatabase({
    config: configFor(url, settings),
    schema,
    applicationName: `test ${schema}`,
    logger: silentLogger(),
  });
}
