import { execFile } from "node:child_process";
import { chmod, chown, mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { messageOf } from "@kindred/errors";
import { startEmbeddedServer, type EmbeddedServer } from "@kindred/postgres";
import { Client } from "pg";
import { silentLogger } from "./silent-logger.ts";
import { temporaryFolder } from "./temporary-folder.ts";
import { testServerSettings } from "./test-server.ts";

const run = promisify(execFile);

/** Crashes are not what is tested; everything else is a real server's. */
const SETTINGS = {
  fsync: "off",
  shared_buffers: "64MB",
  max_connections: "100",
  wal_level: "replica",
  hot_standby: "on",
  // A statement on the replica that is in the way of the log is cancelled soon.
  max_standby_streaming_delay: "500ms",
  wal_retrieve_retry_interval: "200ms",
};

/** A native PostgreSQL and a streaming replica of it, both with pgvector's files. */
export interface ReplicatedDatabase extends AsyncDisposable {
  readonly primaryUrl: string;
  /** The same database on the replica, also while that is stopped. */
  readonly replicaUrl: string;
  /** Ends the replica with all of its connections. */
  stopReplica(): Promise<void>;
  /** Starts it again, on the same port. */
  startReplica(): Promise<void>;
}

/**
 * Starts both; disposing of it stops them.
 * @returns why there are none, where no native PostgreSQL can be had or another kind of database is insisted on
 */
export async function replicatedDatabase(): Promise<ReplicatedDatabase | { unavailable: string }> {
  const { cacheDir, insisted } = testServerSettings();
  if (insisted !== undefined && insisted !== "native")
    return { unavailable: `a replica needs the native PostgreSQL, and KINDRED_TEST_DATABASE is ${insisted}` };
  await using opening = new AsyncDisposableStack();
  const primaryFolder = opening.use(await temporaryFolder());
  const replicaFolder = opening.use(await temporaryFolder());
  const start = (dataDir: string, port = 0): Promise<EmbeddedServer> =>
    startEmbeddedServer({
      kind: "native",
      dataDir,
      cacheDir,
      port,
      logger: silentLogger(),
      settings: SETTINGS,
    });
  let primary: EmbeddedServer;
  try {
    primary = opening.use(await start(primaryFolder.path));
  } catch (error) {
    return { unavailable: messageOf(error) };
  }
  await copyCluster(primary.url, primaryFolder.path, replicaFolder.path);
  let replica: EmbeddedServer | undefined = await start(replicaFolder.path);
  const { url: replicaUrl } = replica;
  const stopReplica = async (): Promise<void> => {
    const stopping = replica;
    replica = undefined;
    await stopping?.[Symbol.asyncDispose]();
  };
  opening.defer(stopReplica);
  const open = opening.move();
  return {
    primaryUrl: primary.url,
    replicaUrl,
    stopReplica,
    startReplica: async () => {
      replica ??= await start(replicaFolder.path, Number(new URL(replicaUrl).port));
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** A copy of a running server's data that follows it when it is started. */
async function copyCluster(url: string, from: string, to: string): Promise<void> {
  const { hostname, port, username, password } = new URL(url);
  const cluster = join(to, "cluster");
  await mkdir(cluster, { mode: 0o700 });
  await run(
    join(await programs(url), "pg_basebackup"),
    // -R: it connects to where it was copied from, and stays a replica.
    ["-D", cluster, "-h", hostname, "-p", port, "-U", username, "-X", "stream", "-c", "fast", "-R"],
    { env: { PGPASSWORD: password, LC_ALL: "C" } },
  );
  await writeFile(join(to, "password"), password, { mode: 0o600 });
  // Copied by us, who may be root, and run by whoever runs the first.
  const { uid, gid } = await stat(join(from, "cluster"));
  for (const entry of await readdir(cluster, { recursive: true }))
    await chown(join(cluster, entry), uid, gid);
  await chown(cluster, uid, gid);
  await chmod(cluster, 0o700);
}

/** Where the server's own programs are. */
async function programs(url: string): Promise<string> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ setting: string }>(
      "SELECT setting FROM pg_config WHERE name = 'BINDIR'",
    );
    return rows[0]?.setting as string;
  } finally {
    await client.end();
  }
}
