import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { KnownFiles } from "../../domain/model-files.ts";
import { isMissing, publish, temporaryName } from "../files.ts";

/**
 * What the files of one revision were when they were first obtained: from then on nothing else is accepted for it, and it can be
 * loaded without the network.
 */
export interface RevisionManifest {
  read(): Promise<KnownFiles>;
  /** Adds what is not in it yet; what is in it stays. */
  record(files: KnownFiles): Promise<void>;
}

const SHA256 = /^[0-9a-f]{64}$/;

/** What can be used of a manifest; one that was damaged is as good as none. */
function usable(json: unknown): KnownFiles {
  if (typeof json !== "object" || json === null) return {};
  return Object.fromEntries(
    Object.entries(json).filter(
      ([, file]: [string, { sha256?: unknown; bytes?: unknown } | null]) =>
        file === null || (SHA256.test(String(file.sha256)) && Number.isSafeInteger(file.bytes)),
    ),
  ) as KnownFiles;
}

export function revisionManifest(
  cacheDir: string,
  { repository, revision }: { readonly repository: string; readonly revision: string },
): RevisionManifest {
  const path = join(cacheDir, "models", "revisions", repository.replaceAll("/", "--"), `${revision}.json`);
  const read = async (): Promise<KnownFiles> => {
    try {
      return usable(JSON.parse(await readFile(path, "utf8")));
    } catch (error) {
      if (isMissing(error) || error instanceof SyntaxError) return {};
      throw error;
    }
  };
  return {
    read,
    record: async (files) => {
      const before = await read();
      if (Object.keys(files).every((name) => Object.hasOwn(before, name))) return;
      await mkdir(dirname(path), { recursive: true });
      const temporary = temporaryName(path);
      const contents = JSON.stringify({ ...files, ...before }, undefined, 2);
      await writeFile(temporary, contents, { flush: true });
      await publish(temporary, path);
    },
  };
}
