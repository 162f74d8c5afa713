import { randomBytes } from "node:crypto";
import { startEmbeddedServer } from "@kindred/postgres";
import { Client } from "pg";
import { silentLogger } from "./silent-logger.ts";
import { leaseTestServer } from "./test-server-broker.ts";
import { temporaryFolder } from "./temporary-folder.ts";
import type { TestServer } from "./test-server.ts";

export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
  readonly kind: TestServer["kind"];
}

/**
 * An empty database that nobody else uses; disposing of it drops it, with whatever is still connected.
 * @param options.extension whether pgvector is created in it (default false: services create it themselves)
 */
export async function testDatabase(options: { extension?: boolean } = {}): Promise<TestDatabase> {
  await using opening = new AsyncDisposableStack();
  const { server } = opening.use(await leaseTestServer());
  const database = opening.use(
    server.kind === "pglite" ? await pgliteDatabase(server.cacheDir) : await createDatabase(server),
  );
  if (options.extension) await asAdmin(database.url, "CREATE EXTENSION IF NOT EXISTS vector");
  const open = opening.move();
  return { url: database.url, kind: database.kind, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

async function asAdmin(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

async function createDatabase(server: Exclude<TestServer, { kind: "pglite" }>): Promise<TestDatabase> {
  const name = `kindred_test_${randomBytes(8).toString("hex")}`;
  await asAdmin(server.adminUrl, `CREATE DATABASE ${name}`);
  const url = new URL(server.adminUrl);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    kind: server.kind,
    [Symbol.asyncDispose]: () => asAdmin(server.adminUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

async function pgliteDatabase(cacheDir: string): Promise<TestDatabase> {
  await using cleanup = new AsyncDisposableStack();
  const folder = cleanup.use(await temporaryFolder());
  const server = cleanup.use(
    await startEmbeddedServer({ kind: "pglite", dataDir: folder.path, cacheDir, logger: silentLogger() }),
  );
  const owned = cleanup.move();
  return { url: server.url, kind: "pglite", [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
