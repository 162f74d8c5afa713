import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { KindredError } from "@kindred/errors";
import { identityOf, isRunning, type ProcessIdentity } from "./process-identity.ts";

/**
 * Marks a data folder as run by this process until it is disposed of. A mark whose process has died is replaced.
 * @throws KindredError failed-precondition when a process that lives runs it.
 */
export async function lockDataFolder(dataDir: string): Promise<AsyncDisposable> {
  const path = join(dataDir, "owner.json");
  const self = identityOf(process.pid) as ProcessIdentity;
  for (;;) {
    try {
      await writeFile(path, JSON.stringify(self), { flag: "wx", mode: 0o644 });
      return { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const owner = await readOwner(path);
    if (owner && isRunning(owner)) {
      throw new KindredError(
        "failed-precondition",
        `process ${owner.pid} runs the database in ${dataDir}: stop it, or choose another folder`,
      );
    }
    await removeStale(path);
  }
}

async function readOwner(path: string): Promise<ProcessIdentity | undefined> {
  try {
    const { pid, startedAt } = JSON.parse(await readFile(path, "utf8")) as Partial<ProcessIdentity>;
    return typeof pid === "number" && typeof startedAt === "string" ? { pid, startedAt } : undefined;
  } catch {
    // Gone by now, or half written when its process was killed.
    return undefined;
  }
}

/** Of several that find the same stale mark, the one whose rename succeeds removes it. */
async function removeStale(path: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  await rename(path, aside).catch(() => {});
  await rm(aside, { force: true });
}
