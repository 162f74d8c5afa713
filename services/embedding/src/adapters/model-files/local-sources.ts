import { copyFile, mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ModelFile } from "../../domain/model.ts";
import type { ModelSource, OnProgress, SourceName } from "../../domain/model-files.ts";
import { fileSize, publish, temporaryName } from "../files.ts";
import { mismatch } from "./verify.ts";

/** A folder that the operator filled; its files are used where they lie. */
export function directorySource(folder: string): ModelSource {
  return {
    name: "directory",
    place: folder,
    obtain: async (file, onProgress) => {
      const path = join(folder, file.name);
      const problem = await mismatch(path, file, "directory", onProgress);
      if (problem !== undefined) throw new Error(problem);
      return path;
    },
  };
}

/** Model files by their hashes below one folder, shared by all processes of the machine. */
export interface ModelFileCache extends ModelSource {
  readonly name: "cache";
  /** Where a file lies once it is there. Downloads may keep unfinished files beside it. */
  pathOf(file: ModelFile): string;
  /** Takes over a finished file: verifies it, flushes it and moves it into place. On a mismatch it is removed, and this rejects. */
  adopt(temporary: string, file: ModelFile, source: SourceName, onProgress: OnProgress): Promise<string>;
}

export function modelFileCache(cacheDir: string): ModelFileCache {
  const pathOf = (file: ModelFile) => join(cacheDir, "models", file.sha256, file.name);
  return {
    name: "cache",
    place: join(cacheDir, "models"),
    pathOf,
    obtain: async (file, onProgress) => {
      const path = pathOf(file);
      const problem = await mismatch(path, file, "cache", onProgress);
      if (problem === undefined) return path;
      if ((await fileSize(path)) === undefined) throw new Error("nothing cached yet");
      await rm(path, { force: true });
      throw new Error(`${problem}; the damaged file was removed`);
    },
    adopt: async (temporary, file, source, onProgress) => {
      const problem = await mismatch(temporary, file, source, onProgress);
      if (problem !== undefined) {
        await rm(temporary, { force: true });
        throw new Error(problem);
      }
      const path = pathOf(file);
      await publish(temporary, path);
      return path;
    },
  };
}

/** Copies a file to a temporary name beside its place in the cache, on the same file system. */
export async function copyBeside(path: string, cache: ModelFileCache, file: ModelFile): Promise<string> {
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
