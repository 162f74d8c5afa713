import { lstat, readdir, realpath } from "node:fs/promises";
import { isAbsolute, join, relative, sep } from "node:path";
import { systemCodeOf } from "../system-error.ts";

/** What was found at the path of a model: a file, or a folder with all that is below. */
export type Finding =
  | { state: "present"; sizeBytes: bigint }
  | { state: "missing" }
  /** It is there perhaps; this process cannot look. */
  | { state: "unreadable"; reason: string };

/** Sizes are those of the files, each counted once, however many names it has; links are not followed. */
export async function lookAtPath(path: string): Promise<Finding> {
  // Where a relative path leads depends on who goes.
  if (!isAbsolute(path)) return { state: "unreadable", reason: "its path is relative" };
  try {
    return { state: "present", sizeBytes: await sizeOf(path, new Set()) };
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === undefined) throw error;
    return code === "ENOENT" || code === "ENOTDIR"
      ? { state: "missing" }
      : { state: "unreadable", reason: code };
  }
}

async function sizeOf(path: string, counted: Set<string>): Promise<bigint> {
  const found = await lstat(path, { bigint: true });
  if (found.isDirectory()) {
    let total = 0n;
    for (const name of await readdir(path)) total += await sizeOf(join(path, name), counted);
    return total;
  }
  const file = `${found.dev}:${found.ino}`;
  if (!found.isFile() || counted.has(file)) return 0n;
  counted.add(file);
  return found.size;
}

/**
 * Why a model's path must not be deleted; undefined when it may be: it is there, no link, and lies really below the root, also after all
 * links on the way are followed.
 */
export async function whyNotToDelete(root: string, path: string): Promise<string | undefined> {
  if (!isAbsolute(path)) return "its path is relative";
  if ((await lstat(path)).isSymbolicLink()) return "it is a link";
  const inside = relative(await realpath(root), await realpath(path));
  const below = inside !== "" && inside !== ".." && !inside.startsWith(`..${sep}`) && !isAbsolute(inside);
  return below ? undefined : `it is not below ${root}`;
}
