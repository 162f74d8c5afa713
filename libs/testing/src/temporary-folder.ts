import { chmod, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PREFIX = "kindred-test-";
/** With the hyphen behind the process id: other folders' random names may begin with digits, too. */
const OWNED = new RegExp(`^${PREFIX}(\\d+)-`);

/**
 * A folder for a test database, which is removed with all that is in it; everybody may enter, for the database runs
 * as a user of its own when we are root. Its name holds our process id, so that what a killed run has left behind
 * can be told from what is in use.
 */
export async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  await removeLeftovers();
  const path = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`));
  await chmod(path, 0o755);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = OWNED.exec(name)?.[1];
    if (pid !== undefined && !isRunning(Number(pid)))
      await rm(join(tmpdir(), name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
