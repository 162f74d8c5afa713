import { mkdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { KindredError } from "@kindred/errors";
import { identityOf, isRunning, type ProcessIdentity } from "./process-identity.ts";

/** What takes microseconds has been left lying about by a process that died, when it is this old. */
const ABANDONED_MS = 5000;
const RETRY_MS = 20;

/**
 * Marks a data folder as run by this process until it is disposed of. A mark whose process has died is replaced.
 * @throws KindredError failed-precondition when a process that lives runs it.
 */
export async function lockDataFolder(dataDir: string): Promise<AsyncDisposable> {
  const path = join(dataDir, "owner.json");
  const self = identityOf(process.pid) as ProcessIdentity;
  while (!tryCreate(path, JSON.stringify(self))) {
    const owner = readOwner(path);
    if (owner && isRunning(owner)) {
      throw new KindredError(
        "failed-precondition",
        `process ${owner.pid} runs the database in ${dataDir}: stop it, or choose another folder`,
      );
    }
    if (owner || ageOf(path) > ABANDONED_MS) removeStale(path);
    else await sleep(RETRY_MS);
  }
  return {
    [Symbol.asyncDispose]: () => {
      rmSync(path, { force: true });
      return Promise.resolve();
    },
  };
}

function tryCreate(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: "wx", mode: 0o644 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return false;
  }
}

/** Undefined when the mark is gone, or not (yet) whole. */
function readOwner(path: string): ProcessIdentity | undefined {
  try {
    const found = JSON.parse(readFileSync(path, "utf8")) as Partial<ProcessIdentity> | null;
    return typeof found?.pid === "number" && typeof found.startedAt === "string"
      ? { pid: found.pid, startedAt: found.startedAt }
      : undefined;
  } catch {
    return undefined;
  }
}

function ageOf(path: string): number {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats ? Date.now() - stats.mtimeMs : 0;
}

/**
 * Removes the mark if it is still a stale one. Several may have seen it stale, and one of them may have replaced it
 * meanwhile: a folder that only one can make sees to it that a fresh mark is not removed.
 */
function removeStale(path: string): void {
  const guard = `${path}.removing`;
  try {
    mkdirSync(guard);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    if (ageOf(guard) > ABANDONED_MS) rmSync(guard, { recursive: true, force: true });
    return;
  }
  try {
    const owner = readOwner(path);
    if (owner ? !isRunning(owner) : ageOf(path) > ABANDONED_MS) rmSync(path, { force: true });
  } finally {
    rmdirSync(guard);
  }
}
