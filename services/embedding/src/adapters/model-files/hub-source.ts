import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { ModelFile } from "../../domain/model.ts";
import type { ModelSource, OnProgress } from "../../domain/model-files.ts";
import { isMissing } from "../files.ts";
import { download, type DownloadTimeouts } from "./download.ts";
import { copyBeside, type ModelFileCache } from "./local-sources.ts";
import { mismatch } from "./verify.ts";

export interface HubOptions {
  /** Name on the hub, e.g. "sentence-transformers/all-MiniLM-L6-v2". */
  readonly model: string;
  readonly endpoint: string;
  /** The hub client's own cache, e.g. ~/.cache/huggingface/hub. */
  readonly hubCache: string;
  readonly offline: boolean;
  readonly token: string | undefined;
  readonly cache: ModelFileCache;
  readonly timeouts?: Partial<DownloadTimeouts>;
}

/** The copies of a file in the hub client's cache: models--<owner>--<name>/snapshots/<revision>/<file>. */
async function snapshotPaths(hubCache: string, model: string, name: string): Promise<string[]> {
  const folder = join(hubCache, `models--${model.replaceAll("/", "--")}`, "snapshots");
  try {
    return (await readdir(folder)).map((revision) => join(folder, revision, name));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** The Hugging Face hub: what its own client has cached already, else a download into the model file cache. */
export function hubSource(options: HubOptions): ModelSource {
  const { model, endpoint, cache } = options;

  const fromClientCache = async (file: ModelFile, onProgress: OnProgress): Promise<string | undefined> => {
    for (const path of await snapshotPaths(options.hubCache, model, file.name)) {
      // Checked before copying, so that another revision of the model costs no copy.
      if ((await mismatch(path, file, "hub", onProgress)) !== undefined) continue;
      return cache.adopt(await copyBeside(path, cache, file), file, "hub", onProgress);
    }
    return undefined;
  };

  const downloadFile = async (file: ModelFile, onProgress: OnProgress): Promise<string> => {
    for (;;) {
      const { temporary, continued } = await download({
        url: `${endpoint.replace(/\/+$/, "")}/${model}/resolve/main/${file.name}`,
        token: options.token,
        target: cache.pathOf(file),
        bytes: file.bytes,
        onBytes: (done) => {
          onProgress({ phase: "download", done, total: file.bytes, source: "hub" });
        },
        ...(options.timeouts && { timeouts: options.timeouts }),
      });
      try {
        return await cache.adopt(temporary, file, "hub", onProgress);
      } catch (error) {
        // The fault may lie in what an earlier call had left; without it there is no second chance.
        if (!continued) throw error;
      }
    }
  };

  return {
    name: "hub",
    place: `${endpoint}/${model}`,
    obtain: async (file, onProgress) => {
      const cached = await fromClientCache(file, onProgress);
      if (cached !== undefined) return cached;
      if (options.offline) throw new Error(`HF_HUB_OFFLINE is set, and ${options.hubCache} does not have it`);
      return downloadFile(file, onProgress);
    },
  };
}
