import { readdir, readlink } from "node:fs/promises";
import { basename, join } from "node:path";
import {
  FileAbsent,
  type FoundFile,
  type ModelSource,
  type OnProgress,
  type WantedFile,
} from "../../domain/model-files.ts";
import { isMissing } from "../files.ts";
import { DEFAULT_TIMEOUTS, download, type DownloadTimeouts } from "./download.ts";
import { describeAnswer, request } from "./http-request.ts";
import { copyIntoCache, type ModelFileCache } from "./local-sources.ts";
import { verify, WrongBytes } from "./verify.ts";

/** A repository on the hub. */
export interface HubRepository {
  readonly endpoint: string;
  /** "<owner>/<model>", e.g. "sentence-transformers/all-MiniLM-L6-v2". */
  readonly repository: string;
  readonly token: string | undefined;
  readonly timeouts?: Partial<DownloadTimeouts>;
}

export interface HubOptions extends HubRepository {
  /** Commit, 40 hexadecimal digits; or a branch, from which only files are taken whose hash is known. */
  readonly revision: string;
  /** The hub client's own cache, e.g. ~/.cache/huggingface/hub. */
  readonly hubCache: string;
  readonly offline: boolean;
  readonly cache: ModelFileCache;
}

export const COMMIT = /^[0-9a-f]{40}$/;
const SHA256 = /^[0-9a-f]{64}$/;

const base = ({ endpoint }: HubRepository) => endpoint.replace(/\/+$/, "");
const responseMs = ({ timeouts }: HubRepository) => timeouts?.responseMs ?? DEFAULT_TIMEOUTS.responseMs;

/**
 * The commit that a branch or tag stands for now, 40 hexadecimal digits.
 * Rejects with an error that says why it could not be found out.
 */
export async function currentCommit(hub: HubRepository, branch: string): Promise<string> {
  const response = await request({
    url: `${base(hub)}/api/models/${hub.repository}/revision/${encodeURIComponent(branch)}`,
    token: hub.token,
    responseMs: responseMs(hub),
    abort: new AbortController(),
  });
  if (!response.ok) {
    await response.body?.cancel();
    throw new Error(describeAnswer(response, hub.token));
  }
  const { sha } = (await response.json()) as { sha?: unknown };
  if (typeof sha !== "string" || !COMMIT.test(sha)) throw new Error("the server named no commit");
  return sha;
}

/** What the hub client cached of one file, and the SHA-256 that its name there claims: blobs of large files are named so. */
async function snapshots(
  { hubCache, repository, revision }: HubOptions,
  file: WantedFile,
): Promise<{ path: string; wanted: WantedFile }[]> {
  const folder = join(hubCache, `models--${repository.replaceAll("/", "--")}`, "snapshots");
  try {
    const names = await readdir(folder);
    // With the hash at hand any revision will do; without it only the one that is asked for.
    const fitting = file.sha256 === undefined ? names.filter((name) => name === revision) : names;
    return await Promise.all(
      fitting.map(async (name) => {
        const path = join(folder, name, file.name);
        const blob = basename(await readlink(path).catch(() => ""));
        const claimed = file.sha256 === undefined && SHA256.test(blob) ? { sha256: blob } : {};
        return { path, wanted: { ...file, ...claimed } };
      }),
    );
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/**
 * The Hugging Face hub: what its own client has cached already, else a download into the model file cache. Where a file's hash is not
 * known, the hub's own word for it is taken: it has one for every large file.
 */
export function hubSource(options: HubOptions): ModelSource {
  const { repository, revision, cache, token } = options;
  const urlOf = (name: string) => `${base(options)}/${repository}/resolve/${revision}/${name}`;

  const fromClientCache = async (
    file: WantedFile,
    onProgress: OnProgress,
  ): Promise<FoundFile | undefined> => {
    for (const { path, wanted } of await snapshots(options, file)) {
      let found: FoundFile;
      try {
        // Checked before copying, so that another revision of the model costs no copy.
        found = await verify(path, wanted, "hub", onProgress);
      } catch (error) {
        if (error instanceof FileAbsent || error instanceof WrongBytes) continue;
        throw error;
      }
      return cache.adopt(await copyIntoCache(path, cache, found), found, "hub", onProgress);
    }
    return undefined;
  };

  /** Asks for size and hash. @throws FileAbsent when the repository has no such file. */
  const ask = async (file: WantedFile): Promise<WantedFile & { readonly bytes: number }> => {
    const response = await request({
      url: urlOf(file.name),
      method: "HEAD",
      token,
      responseMs: responseMs(options),
      abort: new AbortController(),
      // A large file is redirected to where its bytes are; what is said of them stands beside the redirect.
      isAnswer: (redirect) => redirect.headers.has("x-linked-size"),
    });
    const { headers, status } = response;
    if (status === 404 && (headers.get("x-error-code") ?? "EntryNotFound") === "EntryNotFound") {
      throw new FileAbsent(`${repository} has no ${file.name} at ${revision}`);
    }
    if (status >= 400) {
      const code = headers.get("x-error-code");
      throw new Error(
        `${describeAnswer(response, token)}${code === null ? "" : ` (${code})`} for ${urlOf(file.name)}`,
      );
    }
    const commit = headers.get("x-repo-commit");
    if (commit !== null && COMMIT.test(revision) && commit !== revision) {
      throw new Error(`the server has ${file.name} of the commit ${commit}, not of ${revision}`);
    }
    const length = headers.get("x-linked-size") ?? headers.get("content-length");
    const bytes = file.bytes ?? Number(length ?? Number.NaN);
    if (!Number.isSafeInteger(bytes)) throw new Error(`the server does not tell the size of ${file.name}`);
    const etag = headers.get("x-linked-etag")?.replace(/^W\//, "").replaceAll('"', "");
    const sha256 = file.sha256 ?? (etag !== undefined && SHA256.test(etag) ? etag : undefined);
    return { name: file.name, bytes, ...(sha256 !== undefined && { sha256 }) };
  };

  const downloadFile = async (file: WantedFile, onProgress: OnProgress): Promise<FoundFile> => {
    const { bytes, sha256 } = file;
    const known = bytes === undefined || sha256 === undefined ? await ask(file) : { ...file, bytes };
    // By its hash, or by the commit that it is of.
    const target = cache.pathOf({ name: file.name, sha256: known.sha256 ?? revision });
    for (;;) {
      const { temporary, continued } = await download({
        url: urlOf(file.name),
        token,
        target,
        bytes: known.bytes,
        onBytes: (done) => {
          onProgress({ phase: "download", done, total: known.bytes, source: "hub" });
        },
        ...(options.timeouts && { timeouts: options.timeouts }),
      });
      try {
        return await cache.adopt(temporary, known, "hub", onProgress);
      } catch (error) {
        // The fault may lie in what an earlier call had left; without it there is no second chance.
        if (!continued) throw error;
      }
    }
  };

  return {
    name: "hub",
    place: `${options.endpoint}/${repository}`,
    obtain: async (file, onProgress) => {
      if (file.sha256 === undefined && !COMMIT.test(revision)) {
        throw new Error(`${file.name} has no pinned hash, and ${revision} is no commit`);
      }
      const cached = await fromClientCache(file, onProgress);
      if (cached !== undefined) return cached;
      if (options.offline) throw new Error(`HF_HUB_OFFLINE is set, and ${options.hubCache} does not have it`);
      return downloadFile(file, onProgress);
    },
  };
}
