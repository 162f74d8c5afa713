import { copyFile, mkdir, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ModelFile } from "../../domain/model.ts";
import {
  FileAbsent,
  type FoundFile,
  type ModelSource,
  type OnProgress,
  type SourceName,
  type WantedFile,
} from "../../domain/model-files.ts";
import { isMissing, publish, temporaryName } from "../files.ts";
import { verify, WrongBytes } from "./verify.ts";

async function folderExists(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** A folder that the operator filled; its files are used where they lie. */
export function directorySource(folder: string): ModelSource {
  return {
    name: "directory",
    place: folder,
    obtain: async (file, onProgress) => {
      try {
        return await verify(join(folder, file.name), file, "directory", onProgress);
      } catch (error) {
        if (error instanceof FileAbsent && !(await folderExists(folder))) {
          throw new Error("there is no such folder", { cause: error });
        }
        throw error;
      }
    },
  };
}

/** Model files by their hashes below one folder, shared by all processes of the machine. */
export interface ModelFileCache extends ModelSource {
  readonly name: "cache";
  /** Where a file lies once it is there. Downloads may keep unfinished files beside it. */
  pathOf(file: Pick<ModelFile, "name" | "sha256">): string;
  /** Takes over a finished file: verifies it, flushes it and moves it into place. On a mismatch it is removed, and this rejects. */
  adopt(temporary: string, file: WantedFile, source: SourceName, onProgress: OnProgress): Promise<FoundFile>;
}

export function modelFileCache(cacheDir: string): ModelFileCache {
  const pathOf: ModelFileCache["pathOf"] = ({ name, sha256 }) => join(cacheDir, "models", sha256, name);
  return {
    name: "cache",
    place: join(cacheDir, "models"),
    pathOf,
    obtain: async (file, onProgress) => {
      const { name, sha256 } = file;
      // Not an absent file: nobody has asked for this revision yet.
      if (sha256 === undefined) throw new Error("nothing cached yet");
      const path = pathOf({ name, sha256 });
      try {
        return await verify(path, file, "cache", onProgress);
      } catch (error) {
        if (error instanceof FileAbsent) throw new Error("nothing cached yet", { cause: error });
        if (!(error instanceof WrongBytes)) throw error;
        await rm(path, { force: true });
        throw new Error(`${error.message}; the damaged file was removed`, { cause: error });
      }
    },
    adopt: async (temporary, file, source, onProgress) => {
      let found: FoundFile;
      try {
        found = await verify(temporary, file, source, onProgress);
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
      const path = pathOf(found);
      await mkdir(dirname(path), { recursive: true });
      await publish(temporary, path);
      return { ...found, path };
    },
  };
}

/** Copies a file to a temporary name below the cache, on the same file system as the place where it is to lie. */
export async function copyIntoCache(
  path: string,
  cache: ModelFileCache,
  file: Pick<ModelFile, "name" | "sha256">,
): Promise<string> {
  const temporary = temporaryName(cache.pathOf(file));
  await mkdir(dirname(temporary), { recursive: true });
  try {
    await copyFile(path, temporary);
    return temporary;
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
