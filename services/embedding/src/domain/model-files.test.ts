import { expect, test } from "@jest/globals";
import { MINILM, type ModelFile } from "./model.ts";
import { obtainModel, type ModelSource, type SourceFailure, type SourceName } from "./model-files.ts";

/** A source that has the named files, and counts how often it was asked. */
function source(name: SourceName, has: readonly string[]): ModelSource & { asked: string[] } {
  const asked: string[] = [];
  return {
    name,
    place: `the ${name}`,
    asked,
    obtain: async (file: ModelFile) => {
      asked.push(file.name);
      if (has.includes(file.name)) return `/${name}/${file.name}`;
      throw new Error(`no ${file.name} here`);
    },
  };
}

const { weights, tokenizer } = MINILM;
const ignore = () => undefined;

test("each file comes from the first source that has it", async () => {
  const cache = source("cache", [weights.name]);
  const hub = source("hub", [weights.name, tokenizer.name]);
  const failures: SourceFailure[] = [];
  const obtained = await obtainModel(MINILM, [cache, hub], ignore, (failure) => failures.push(failure));
  expect(obtained).toEqual({
    weightsPath: "/cache/model.safetensors",
    tokenizerPath: "/hub/tokenizer.json",
    source: "cache",
  });
  expect(failures).toEqual([{ source: "cache", place: "the cache", reason: "no tokenizer.json here" }]);
});

test("a network source that failed is not asked for the next file", async () => {
  const hub = source("hub", []);
  const python = source("package", [weights.name, tokenizer.name]);
  await expect(obtainModel(MINILM, [hub, python], ignore, ignore)).resolves.toMatchObject({
    source: "package",
  });
  expect(hub.asked).toEqual([weights.name]);
});

test("the cache is asked again: what the first file's download brought along may be there by then", async () => {
  const cache = source("cache", []);
  await obtainModel(MINILM, [cache, source("package", [weights.name, tokenizer.name])], ignore, ignore);
  expect(cache.asked).toEqual([weights.name, tokenizer.name]);
});

test("when all fail, one error says what failed where, and what to do", async () => {
  const sources = [source("directory", []), source("cache", []), source("hub", []), source("package", [])];
  const failing = obtainModel(MINILM, sources, ignore, ignore);
  await expect(failing).rejects.toMatchObject({ kind: "unavailable" });
  await expect(failing).rejects.toThrow(weights.sha256);
  for (const { name } of sources)
    await expect(failing).rejects.toThrow(`${name} (the ${name}): no model.safetensors here`);
  await expect(failing).rejects.toThrow("EMBEDDING_MODEL_DIR");
});
