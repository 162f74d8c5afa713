import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** What `kindred up` tells other commands about the Kindred that it runs; run.json in its home. */
export interface RunFile {
  /** Of the supervisor. */
  pid: number;
  origin: string;
  /** host:port of each service's gRPC port. */
  grpc: Record<string, string>;
  /** Holds the password: the file can be read by its owner only. */
  databaseUrl: string;
  /** Where the origin takes pictures from. */
  mediaRoot: string;
  /** ISO 8601. */
  startedAt: string;
}

export function runFilePath(home: string): string {
  return join(home, "run.json");
}

/** Complete or not there: written aside first. */
export async function writeRunFile(home: string, run: RunFile): Promise<void> {
  const path = runFilePath(home);
  const aside = `${path}.${process.pid}`;
  await writeFile(aside, `${JSON.stringify(run, undefined, 2)}\n`, { mode: 0o600 });
  await rename(aside, path);
}

export async function removeRunFile(home: string): Promise<void> {
  await rm(runFilePath(home), { force: true });
}

/** undefined when nothing runs: no file, one that is not readable for us, or one whose process has died. */
export async function readRunFile(home: string): Promise<RunFile | undefined> {
  let run: RunFile;
  try {
    run = JSON.parse(await readFile(runFilePath(home), "utf8")) as RunFile;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES" || error instanceof SyntaxError)
      return undefined;
    throw error;
  }
  return isAlive(run.pid) ? run : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process is alive as well.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
