import { describe, expect, test } from "@jest/globals";
import { MINILM, MINILM_SPEC } from "./model.ts";
import {
  createFileChain,
  FileAbsent,
  type FileChainOptions,
  type ModelSource,
  type SourceFailure,
  type SourceName,
  type WantedFile,
} from "./model-files.ts";

/** A source that has the named files, knows whether it has all of the model, and notes what it was asked for. */
function source(
  name: SourceName,
  has: readonly string[],
  { complete = false } = {},
): ModelSource & { asked: WantedFile[] } {
  const asked: WantedFile[] = [];
  return {
    name,
    place: `the ${name}`,
    asked,
    obtain: async (file) => {
      asked.push(file);
      if (has.includes(file.name)) {
        return { name: file.name, bytes: 1, sha256: file.sha256 ?? "found", path: `/${name}/${file.name}` };
      }
      throw complete ? new FileAbsent(`no ${file.name} at all`) : new Error(`no ${file.name} here`);
    },
  };
}

const { weights, tokenizer } = MINILM;
const both = [weights.name, tokenizer.name];
const ignore = () => undefined;

function chain(sources: readonly ModelSource[], options: Partial<FileChainOptions> = {}) {
  return createFileChain({
    spec: MINILM_SPEC,
    sources,
    known: {},
    onProgress: ignore,
    onFailure: ignore,
    ...options,
  });
}

const UNPINNED = { spec: { name: "other" } };

test("each file comes from the first source that has it, with the hash that is pinned for it", async () => {
  const cache = source("cache", [weights.name]);
  const hub = source("hub", both);
  const failures: SourceFailure[] = [];
  const files = chain([cache, hub], { onFailure: (failure) => failures.push(failure) });
  expect(await files.obtain(weights.name)).toMatchObject({
    path: "/cache/model.safetensors",
    source: "cache",
  });
  expect(await files.obtain(tokenizer.name)).toMatchObject({ path: "/hub/tokenizer.json", source: "hub" });
  expect(hub.asked).toEqual([tokenizer]);
  expect(failures).toEqual([{ source: "cache", place: "the cache", reason: "no tokenizer.json here" }]);
});

test("a network source that failed is not asked for the next file", async () => {
  const hub = source("hub", []);
  const files = chain([hub, source("package", both)]);
  for (const name of both) expect(await files.obtain(name)).toMatchObject({ source: "package" });
  expect(hub.asked).toHaveLength(1);
});

test("the cache is asked again: what the first file's download brought along may be there by then", async () => {
  const cache = source("cache", []);
  const files = chain([cache, source("package", both)]);
  for (const name of both) await files.obtain(name);
  expect(cache.asked).toHaveLength(2);
});

test("when all fail, one error says what failed where, and what to do", async () => {
  const sources = (["directory", "cache", "hub", "package"] as const).map((name) => source(name, []));
  const failing = chain(sources).obtain(weights.name);
  await expect(failing).rejects.toMatchObject({ kind: "unavailable" });
  await expect(failing).rejects.toThrow(weights.sha256);
  for (const { name } of sources)
    await expect(failing).rejects.toThrow(`${name} (the ${name}): no model.safetensors here`);
  await expect(failing).rejects.toThrow("EMBEDDING_MODEL_DIR");
  await expect(chain(sources, UNPINNED).obtain("config.json")).rejects.toThrow(`the model's "directory"`);
});

describe("a file that a model need not have", () => {
  test("is undefined when a source is certain that there is none", async () => {
    const files = chain([source("cache", []), source("hub", [], { complete: true })], UNPINNED);
    expect(await files.obtainOptional("modules.json")).toBeUndefined();
  });

  test("does not make a source a failed one", async () => {
    const hub = source("hub", ["config.json"], { complete: true });
    const files = chain([hub], UNPINNED);
    expect(await files.obtainOptional("modules.json")).toBeUndefined();
    expect(await files.obtainOptional("config.json")).toMatchObject({ source: "hub" });
  });

  test("is an error when nobody can tell", async () => {
    const files = chain([source("cache", []), source("hub", [])], UNPINNED);
    await expect(files.obtainOptional("modules.json")).rejects.toThrow("hub (the hub): no modules.json here");
  });

  test("is not asked for when it was not there the first time", async () => {
    const hub = source("hub", []);
    const files = chain([hub], { ...UNPINNED, known: { "modules.json": null } });
    expect(await files.obtainOptional("modules.json")).toBeUndefined();
    await expect(files.obtain("modules.json")).rejects.toThrow("the model has no such file");
    expect(hub.asked).toEqual([]);
  });

  test("has to be there when it is pinned", async () => {
    const files = chain([source("directory", [], { complete: true })]);
    await expect(files.obtainOptional(weights.name)).rejects.toThrow("no model.safetensors at all");
  });
});

test("what was found the first time is what is wanted from then on, but for the spec's own pins", async () => {
  const cache = source("cache", ["config.json", weights.name]);
  const files = chain([cache], {
    known: { "config.json": { bytes: 7, sha256: "first" }, [weights.name]: { bytes: 8, sha256: "first" } },
  });
  await files.obtain("config.json");
  await files.obtain(weights.name);
  expect(cache.asked).toEqual([{ name: "config.json", bytes: 7, sha256: "first" }, weights]);
});

test.each(["../secret", "/etc/passwd", "a/../../b", "a\\..\\b", "a//b", "./a", ".", ""])(
  "a model cannot name the file %j",
  async (name) => {
    const directory = source("directory", [name]);
    await expect(chain([directory], UNPINNED).obtain(name)).rejects.toMatchObject({
      kind: "failed-precondition",
    });
    expect(directory.asked).toEqual([]);
  },
);
