import { access, constants, readdir, realpath } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { readEnvironment } from "@kindred/config";
import { messageOf } from "@kindred/errors";
import { compareVersions } from "../capabilities.ts";
import { runCommand } from "./run-command.ts";

/** A PostgreSQL that can be started: the folder with `initdb` and `postgres`, and its version. */
export interface PostgresBinaries {
  folder: string;
  version: string;
}

const OLDEST_MAJOR = "15";

async function exists(path: string, mode: number = constants.F_OK): Promise<boolean> {
  try {
    await access(path, mode);
    return true;
  } catch {
    return false;
  }
}

/** Folders in which distributions put the server without putting it on PATH, the newest version first. */
async function conventionalFolders(): Promise<string[]> {
  const parents = ["/usr/lib/postgresql", "/usr/local/lib/postgresql"];
  const versions = await Promise.all(
    parents.map(async (parent) => {
      const names = await readdir(parent).catch(() => []);
      return names.toSorted((a, b) => compareVersions(b, a)).map((name) => join(parent, name, "bin"));
    }),
  );
  return versions.flat();
}

/** @throws CommandError when the binary does not run on this system. */
export async function versionOf(folder: string): Promise<string> {
  const text = await runCommand(join(folder, "postgres"), ["--version"], { timeoutMs: 10_000 });
  return /(\d+(?:\.\d+)*)/.exec(text)?.[1] ?? "0";
}

async function sharedFolder(folder: string): Promise<string> {
  const text = await runCommand(join(folder, "pg_config"), ["--sharedir"], { timeoutMs: 10_000 });
  return text.trim();
}

/**
 * The first installed PostgreSQL that has pgvector's files; otherwise why each one that was found cannot serve, or
 * that there is none.
 * @param major when given, only that major version will do: the data were made by it.
 */
export async function findInstalledPostgres(major?: string): Promise<PostgresBinaries | { reason: string }> {
  const path = (readEnvironment()["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  const reasons: string[] = [];
  const seen = new Set<string>();
  for (const candidate of [...path, ...(await conventionalFolders())]) {
    const binaries = await Promise.all(
      ["postgres", "initdb"].map((name) => exists(join(candidate, name), constants.X_OK)),
    );
    if (!binaries.every(Boolean)) continue;
    // Distributions put links on PATH; pg_config and the libraries are beside what they point to.
    const folder = dirname(await realpath(join(candidate, "postgres")));
    if (seen.has(folder)) continue;
    seen.add(folder);
    const found = await judge(folder, major);
    if ("folder" in found) return found;
    reasons.push(found.reason);
  }
  return { reason: reasons.length > 0 ? reasons.join("; ") : "no PostgreSQL is installed" };
}

async function judge(
  folder: string,
  major: string | undefined,
): Promise<PostgresBinaries | { reason: string }> {
  try {
    const version = await versionOf(folder);
    const name = `PostgreSQL ${version} in ${folder}`;
    if (compareVersions(version, OLDEST_MAJOR) < 0)
      return { reason: `${name} is older than ${OLDEST_MAJOR}` };
    if (major !== undefined && version.split(".")[0] !== major) {
      return { reason: `${name} cannot read data of PostgreSQL ${major}` };
    }
    const control = join(await sharedFolder(folder), "extension", "vector.control");
    return (await exists(control)) ? { folder, version } : { reason: `${name} has no pgvector` };
  } catch (error) {
    return { reason: `the PostgreSQL in ${folder} cannot be used: ${messageOf(error)}` };
  }
}
