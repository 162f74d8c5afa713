import { access, constants, mkdir, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "@kindred/errors";
import { lockFile, type Places } from "@kindred/process";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { formatBytes } from "../terminal/format.ts";

/** The files of one installation. */
export interface Home {
  path: string;
  cache: string;
  database: string;
  media: string;
  logs: string;
}

/** The home, with this process as its only user until it is disposed of. */
/** A new database of its own, with room to work; or an existing one at work. */
const NEW_DATABASE_BYTES = 150 * 2 ** 20;
const WORKING_BYTES = 32 * 2 ** 20;

export interface OwnedHome extends Home, AsyncDisposable {
  /** Whether the run before was killed: its processes may still be about to end. */
  afterKill: boolean;
}

export function homeAt(places: Places): Home {
  return {
    path: places.home,
    cache: places.cache,
    database: join(places.home, "database"),
    media: join(places.home, "media"),
    logs: join(places.home, "logs"),
  };
}

/** @throws Failure in one line when it cannot be written to, or when another process uses it. */
export async function takeHome(places: Places): Promise<OwnedHome> {
  const home = homeAt(places);
  for (const folder of [home.path, home.cache, home.media, home.logs]) await makeFolder(folder);
  const lock = await lockFile(join(home.path, "up.lock")).catch((error: unknown) => {
    throw cannotWrite(home.path, error);
  });
  if ("heldBy" in lock) {
    throw new Failure(`Kindred is running already: process ${lock.heldBy} uses ${home.path}.`, {
      remedy: "Stop that one, or give this one data of its own: --home <folder> --any-port",
    });
  }
  return { ...home, afterKill: lock.takenOver, [Symbol.asyncDispose]: () => lock[Symbol.asyncDispose]() };
}

/** @throws Failure when the disk has no room for the embedded database. */
export async function requireSpace(home: Home): Promise<void> {
  const isNew = await stat(home.database).then(
    () => false,
    () => true,
  );
  const needed = isNew ? NEW_DATABASE_BYTES : WORKING_BYTES;
  const { bavail, bsize } = await statfs(home.path);
  if (bavail * bsize >= needed) return;
  throw new Failure(
    `The disk is full: ${formatBytes(bavail * bsize)} are free in ${home.path}, and the database needs ${formatBytes(needed)}.`,
    { exitCode: EXIT.cannotWrite, remedy: "Another place: KINDRED_HOME or --home" },
  );
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
    await access(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

function cannotWrite(path: string, error: unknown): Failure {
  const { code } = error as NodeJS.ErrnoException;
  const full = code === "ENOSPC" || code === "EDQUOT";
  return new Failure(
    full
      ? `The disk is full: nothing can be written to ${path}.`
      : `${path} cannot be written to (${code ?? messageOf(error)}).`,
    {
      exitCode: EXIT.cannotWrite,
      remedy: full ? undefined : "Other places: KINDRED_HOME (or --home) and KINDRED_CACHE_DIR",
      cause: error,
    },
  );
}
