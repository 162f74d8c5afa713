import { statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join, resolve } from "node:path";

export interface Places {
  /** Data of one installation: database, pictures, run.json. Losing it loses data. */
  home: string;
  /** What can be made again: model files, compiled graphs, PostgreSQL's binaries. */
  cache: string;
}

/** What tests put in the place of this machine. */
export interface Account {
  homeDir: string;
  isRoot: boolean;
  /** Whether every user may enter the folder (or the nearest one above it that exists). */
  mayAnyoneEnter: (folder: string) => boolean;
}

const thisAccount = (): Account => ({
  homeDir: homedir(),
  isRoot: process.getuid?.() === 0,
  mayAnyoneEnter,
});

/**
 * Where Kindred keeps its files: KINDRED_HOME and KINDRED_CACHE_DIR, else `kindred` in the folders of the XDG base directory
 * specification. The database never runs as root: started by root it runs as another user, who has to be able to enter both
 * places; where that user cannot (/root is closed to others), they are /var/lib/kindred and /var/cache/kindred.
 * Absolute paths; nothing is created.
 */
export function resolvePlaces(
  env: Readonly<Record<string, string | undefined>>,
  account: Account = thisAccount(),
): Places {
  const place = (explicit: string, xdg: string, fallback: string, forRoot: string): string => {
    const chosen = env[explicit];
    if (chosen) return resolve(chosen);
    const base = env[xdg];
    // The specification says to ignore relative paths.
    const standard = join(base && isAbsolute(base) ? base : join(account.homeDir, fallback), "kindred");
    return account.isRoot && !account.mayAnyoneEnter(standard) ? forRoot : standard;
  };
  return {
    home: place("KINDRED_HOME", "XDG_DATA_HOME", ".local/share", "/var/lib/kindred"),
    cache: place("KINDRED_CACHE_DIR", "XDG_CACHE_HOME", ".cache", "/var/cache/kindred"),
  };
}

/** Whether others have the right to search every folder on the way that exists. */
export function mayAnyoneEnter(folder: string): boolean {
  for (let path = folder; ; path = dirname(path)) {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats && (stats.mode & 0o001) === 0) return false;
    if (path === dirname(path)) return true;
  }
}
