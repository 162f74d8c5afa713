import { request } from "node:http";
import { messageOf } from "@kindred/errors";
import { startEmbeddedServer } from "@kindred/postgres";
import { resolvePlaces } from "@kindred/process";
import { silentLogger } from "./silent-logger.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** The server that a run's test databases are made on. With PGlite each database is a server of its own. */
export type TestServer =
  { kind: "url" | "docker" | "native"; adminUrl: string } | { kind: "pglite"; cacheDir: string };

/** A started server, what it is and why, for people, and how to end it. */
export interface RunningTestServer extends AsyncDisposable {
  server: TestServer;
  description: string;
}

type Kind = TestServer["kind"];

const IMAGE = "pgvector/pgvector:pg17";
const PING_TIMEOUT_MS = 1000;

/** What tests ask of a database is that it answers; nothing of theirs has to survive a crash. */
const NO_DURABILITY = {
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  shared_buffers: "256MB",
  max_connections: "300",
};

interface TestServerSettings {
  /** KINDRED_TEST_DATABASE_URL: an existing server; its user may create databases. */
  url: string | undefined;
  /** KINDRED_TEST_DATABASE: insists on one kind. */
  insisted: string | undefined;
  cacheDir: string;
}

export function testServerSettings(env: NodeJS.ProcessEnv = process.env): TestServerSettings {
  return {
    url: env["KINDRED_TEST_DATABASE_URL"] || undefined,
    insisted: env["KINDRED_TEST_DATABASE"] || undefined,
    cacheDir: resolvePlaces(env).cache,
  };
}

const STARTERS: Record<Kind, (settings: TestServerSettings) => Promise<RunningTestServer>> = {
  url: startGiven,
  docker: startDocker,
  native: startNative,
  pglite: startPglite,
};

/**
 * The first of these that works: the server of KINDRED_TEST_DATABASE_URL, Docker, the native embedded PostgreSQL,
 * PGlite. A given URL and KINDRED_TEST_DATABASE (docker, native or pglite) are not second-guessed.
 */
export async function startTestServer(settings: TestServerSettings): Promise<RunningTestServer> {
  const { insisted, url } = settings;
  if (insisted !== undefined && !Object.hasOwn(STARTERS, insisted)) {
    throw new Error(`KINDRED_TEST_DATABASE must be docker, native or pglite, is ${JSON.stringify(insisted)}`);
  }
  if (insisted !== undefined) return await STARTERS[insisted as Kind](settings);
  if (url !== undefined) return await startGiven(settings);
  const reasons: string[] = [];
  for (const kind of ["docker", "native", "pglite"] as const) {
    try {
      const running = await STARTERS[kind](settings);
      return { ...running, description: [running.description, ...reasons].join("; ") };
    } catch (error) {
      reasons.push(`no ${kind}: ${messageOf(error)}`);
    }
  }
  throw new Error(`no database for the tests: ${reasons.join("; ")}`);
}

function startGiven({ url }: TestServerSettings): Promise<RunningTestServer> {
  if (url === undefined) return Promise.reject(new Error("KINDRED_TEST_DATABASE_URL is not set"));
  const { host } = new URL(url);
  return Promise.resolve({
    server: { kind: "url", adminUrl: url },
    description: `the server at ${host} (KINDRED_TEST_DATABASE_URL)`,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
}

/** Asks the engine whether it is there, which takes a moment; testcontainers would look for long. */
async function dockerAnswers(): Promise<void> {
  const host = process.env["DOCKER_HOST"] ?? "unix:///var/run/docker.sock";
  const where = host.startsWith("unix://")
    ? { socketPath: host.slice("unix://".length) }
    : { host: new URL(host).hostname, port: new URL(host).port };
  await new Promise<void>((resolve, reject) => {
    const ping = request({ ...where, path: "/_ping", timeout: PING_TIMEOUT_MS }, (response) => {
      response.resume();
      if (response.statusCode === 200) resolve();
      else reject(new Error(`the engine answers ${response.statusCode}`));
    });
    ping.once("timeout", () => ping.destroy(new Error("the engine does not answer")));
    ping.once("error", () => reject(new Error("no engine answers")));
    ping.end();
  });
}

async function startDocker(): Promise<RunningTestServer> {
  await dockerAnswers();
  const { PostgreSqlContainer } = await import("@testcontainers/postgresql");
  const options = Object.entries(NO_DURABILITY).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const container = await new PostgreSqlContainer(IMAGE).withCommand(["postgres", ...options]).start();
  return {
    server: { kind: "docker", adminUrl: container.getConnectionUri() },
    description: `${IMAGE} (Docker)`,
    [Symbol.asyncDispose]: async () => {
      await container.stop();
    },
  };
}

async function startNative({ cacheDir }: TestServerSettings): Promise<RunningTestServer> {
  await using cleanup = new AsyncDisposableStack();
  const folder = cleanup.use(await temporaryFolder());
  const server = cleanup.use(
    await startEmbeddedServer({
      kind: "native",
      dataDir: folder.path,
      cacheDir,
      logger: silentLogger(),
      settings: NO_DURABILITY,
    }),
  );
  const owned = cleanup.move();
  return {
    server: { kind: "native", adminUrl: server.url },
    description: server.description + (server.reason === "" ? "" : ` (${server.reason})`),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function startPglite({ cacheDir }: TestServerSettings): Promise<RunningTestServer> {
  return Promise.resolve({
    server: { kind: "pglite", cacheDir },
    description: "PGlite, a process of its own for each test database",
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
}
