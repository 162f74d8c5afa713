import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { readEnvironment } from "@kindred/config";
import { KindredError } from "@kindred/errors";
import type { Logger } from "@kindred/telemetry";
import { Client } from "pg";
import type { PostgresBinaries } from "./binaries.ts";
import {
  clusterPaths,
  clusterVersion,
  createCluster,
  readOrCreatePassword,
  SUPERUSER,
  writeSettings,
} from "./cluster.ts";
import { unprivilegedUser } from "./os-user.ts";
import { Postmaster } from "./postmaster.ts";
import type { ReportProgress } from "./progress.ts";
import type { RunningServer } from "./running-server.ts";
import { hostResources, serverSettings } from "./server-settings.ts";

const DATABASE = "kindred";

export interface NativeServerOptions {
  binaries: PostgresBinaries;
  dataDir: string;
  port: number;
  /** Over the settings that follow from the machine. */
  settings: Readonly<Record<string, string>>;
  report: ReportProgress;
  logger: Logger;
}

/** Starts a PostgreSQL from these binaries on the data folder, which is made ready when it is empty. */
export async function startNativeServer(options: NativeServerOptions): Promise<RunningServer> {
  const { binaries, report, logger } = options;
  const user = unprivilegedUser();
  // The server's own working directory, by which it is recognised, has no links in it.
  const paths = clusterPaths(await realpath(options.dataDir));

  const password = await readOrCreatePassword(paths.password);
  const env = serverEnvironment();
  if ((await clusterVersion(paths.cluster)) === undefined) {
    report({ phase: "initialise" });
    await createCluster({ binaries, cluster: paths.cluster, password, user, env });
  }
  const host = await hostResources(paths.cluster);
  await writeSettings(paths.cluster, { ...serverSettings(host), ...options.settings });

  report({ phase: "start" });
  const program = join(binaries.folder, "postgres");
  const postmaster = await Postmaster.start({
    program,
    cluster: paths.cluster,
    port: options.port,
    log: paths.log,
    user,
    env,
    logger,
  });
  try {
    const base = `postgresql://${SUPERUSER}:${password}@127.0.0.1:${postmaster.port}`;
    const versions = await prepareDatabase(`${base}/postgres`);
    return {
      url: `${base}/${DATABASE}`,
      port: postmaster.port,
      versions,
      waitForEnd: () => postmaster.waitForEnd(),
      [Symbol.asyncDispose]: () => postmaster[Symbol.asyncDispose](),
    };
  } catch (error) {
    await postmaster[Symbol.asyncDispose]();
    throw error;
  }
}

async function prepareDatabase(url: string): Promise<{ server: string; vector: string }> {
  const client = new Client({ connectionString: url });
  try {
    await client.connect();
    const { rows } = await client.query<{ server: string; vector: string | null; there: boolean }>(
      `SELECT split_part(current_setting('server_version'), ' ', 1) AS server,
              (SELECT default_version FROM pg_available_extensions WHERE name = 'vector') AS vector,
              EXISTS (SELECT FROM pg_database WHERE datname = $1) AS there`,
      [DATABASE],
    );
    const row = rows[0] as (typeof rows)[0];
    if (!row.there) await client.query(`CREATE DATABASE ${DATABASE}`);
    return { server: row.server, vector: row.vector ?? "none" };
  } catch (error) {
    if ((error as { code?: string }).code === "28P01") {
      throw new KindredError(
        "failed-precondition",
        "the database refuses the password beside its data: was it changed?",
        {
          cause: error,
        },
      );
    }
    throw error;
  } finally {
    await client.end();
  }
}

/** Our own environment without what would configure a PostgreSQL from outside. */
function serverEnvironment(): Record<string, string> {
  const entries = Object.entries(readEnvironment()).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !/^(PG|LC_|LANG)/.test(entry[0]),
  );
  return { ...Object.fromEntries(entries), LC_ALL: "C" };
}
