import { readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { repositoryPath, runTask, TaskError } from "@kindred/process";
import { Failure } from "../failure.ts";

const FOLDER = repositoryPath("apps/dashboard");
const BUILT = join(FOLDER, "dist");
const VITE = repositoryPath("node_modules/vite/bin/vite.js");
/** What the built page is made from. */
const SOURCES = ["src", "public", "index.html", "vite.config.ts", "package.json", "../../libs/contracts/src"];

/** Builds the page when it was not built yet, or when a source is younger than it. */
export async function buildDashboard(deps: { signal: AbortSignal }): Promise<string> {
  const builtAt = await modified(join(BUILT, "index.html"));
  const changedAt = Math.max(
    ...(await Promise.all(SOURCES.map((source) => latestChange(join(FOLDER, source))))),
  );
  if (builtAt >= changedAt) return "built before";
  // Aside first: whoever looks meanwhile sees the old page, and a killed build leaves no half of one.
  const fresh = join(FOLDER, "node_modules", `.dist-${process.pid}`);
  try {
    await runTask({
      entry: VITE,
      args: ["build", "--outDir", fresh, "--emptyOutDir", "--logLevel", "error"],
      cwd: FOLDER,
      signal: deps.signal,
    });
    await rm(BUILT, { recursive: true, force: true });
    await rename(fresh, BUILT);
  } catch (error) {
    if (!(error instanceof TaskError)) throw error;
    throw new Failure(`The dashboard could not be built: ${error.stderr.join("\n") || error.message}`, {
      cause: error,
    });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  return "built";
}

/** In milliseconds since 1970; 0 when there is no such file. */
async function modified(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0;
    throw error;
  }
}

async function latestChange(path: string): Promise<number> {
  const own = await modified(path);
  if (own === 0 || !(await stat(path)).isDirectory()) return own;
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => modified(join(entry.parentPath, entry.name)));
  return Math.max(own, ...(await Promise.all(files)));
}
