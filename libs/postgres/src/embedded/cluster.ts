import { randomBytes } from "node:crypto";
import { access, chmod, chown, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compareVersions } from "../capabilities.ts";
import type { PostgresBinaries } from "./binaries.ts";
import type { OsUser } from "./os-user.ts";
import { runCommand } from "./run-command.ts";
import { configurationFile } from "./server-settings.ts";

export const SUPERUSER = "kindred";

/** Rewritten at every start, and read before postgresql.conf's own lines, so that what people set there wins. */
const SETTINGS_FILE = "kindred.conf";
const BUILTIN_LOCALE_SINCE = "17";

/** Where a data folder keeps what belongs to a native server. */
export function clusterPaths(dataDir: string): { cluster: string; password: string; log: string } {
  return {
    cluster: join(dataDir, "cluster"),
    password: join(dataDir, "password"),
    log: join(dataDir, "server.log"),
  };
}

/** The major version that made the data, e.g. "17"; undefined when there are none. */
export async function clusterVersion(cluster: string): Promise<string | undefined> {
  try {
    return (await readFile(join(cluster, "PG_VERSION"), "utf8")).trim();
  } catch {
    return undefined;
  }
}

/** The password of the data folder, made once and readable by its owner only. */
export async function readOrCreatePassword(path: string): Promise<string> {
  const fresh = randomBytes(18).toString("hex");
  try {
    await writeFile(path, fresh, { flag: "wx", mode: 0o600 });
    return fresh;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    await chmod(path, 0o600);
    return await readFile(path, "utf8");
  }
}

export interface ClusterOptions {
  binaries: PostgresBinaries;
  cluster: string;
  password: string;
  user: OsUser | undefined;
  env: Record<string, string>;
}

/** Makes the database cluster: all of it, or nothing that would be taken for one. */
export async function createCluster(options: ClusterOptions): Promise<void> {
  const { binaries, cluster, user } = options;
  const work = `${cluster}.new`;
  const passwordFile = `${work}.password`;
  await rm(work, { recursive: true, force: true });
  try {
    await mkdir(work, { mode: 0o700 });
    await writeFile(passwordFile, options.password, { mode: 0o600 });
    if (user) {
      await chown(work, user.uid, user.gid);
      await chown(passwordFile, user.uid, user.gid);
    }
    await runCommand(
      join(binaries.folder, "initdb"),
      [
        `--pgdata=${work}`,
        `--username=${SUPERUSER}`,
        `--pwfile=${passwordFile}`,
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        ...localeOptions(binaries.version),
        "--no-instructions",
      ],
      { as: user, cwd: work, env: options.env },
    );
    const conf = join(work, "postgresql.conf");
    const own = await readFile(conf, "utf8");
    await writeFile(conf, `include_if_exists = '${SETTINGS_FILE}'\n${own}`);
    await rename(work, cluster);
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    throw error;
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/** Unicode letters are letters, and the order is that of code points, the same on every system. */
function localeOptions(version: string): string[] {
  return compareVersions(version, BUILTIN_LOCALE_SINCE) >= 0
    ? ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    : ["--locale=C"];
}

export async function writeSettings(
  cluster: string,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  // Readable for the server's user; the folder keeps everybody else out.
  await writeFile(join(cluster, SETTINGS_FILE), configurationFile(settings), { mode: 0o644 });
}

export async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
