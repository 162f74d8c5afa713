import { expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { plainFields } from "./generation-fixture.ts";
import type { GenerationFields, JsonObject, OutputFile, Retrieval } from "./generation.ts";
import { requestDigest } from "./request-digest.ts";

const FIELDS = plainFields({
  seed: 1n,
  guidanceScale: 7.5,
  modelConfig: { model: "sd", options: { a: 1, b: [1, 2] } },
  retrievedExamples: [{ imageId: 1n, imagePath: "a", caption: "", similarity: 0.5, rank: 1 }],
});

const RETRIEVAL: Retrieval = {
  query: "",
  k: 3,
  threshold: undefined,
  spaceId: "s",
  method: "hnsw",
  indexName: "",
  efSearch: 0,
  probes: 0,
  expectedRecall: 0,
};

const outputOf = (path: string): OutputFile => ({
  path,
  sizeBytes: undefined,
  sha256: undefined,
  state: "unknown",
  verifiedAtMicros: undefined,
});

const hex = (fields: GenerationFields): string => Buffer.from(requestDigest(fields)).toString("hex");

function withKeysReversed(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(withKeysReversed);
  if (typeof json !== "object" || json === null) return json;
  return Object.fromEntries(
    Object.entries(json)
      .toReversed()
      .map(([key, value]) => [key, withKeysReversed(value)]),
  );
}

test("the order of keys makes no difference, at any depth", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (config) => {
      // As it travels: JSON has no negative zero.
      const modelConfig = JSON.parse(JSON.stringify(config)) as JsonObject;
      expect(hex({ ...FIELDS, modelConfig: withKeysReversed(modelConfig) as JsonObject })).toBe(
        hex({ ...FIELDS, modelConfig }),
      );
    }),
  );
});

test("every field counts", () => {
  const others: Partial<GenerationFields>[] = [
    { prompt: "a dog" },
    { augmentedPrompt: "x" },
    { outputPath: "x" },
    { seed: 2n },
    { seed: undefined },
    { numInferenceSteps: 1 },
    { guidanceScale: 7 },
    { generationTimeMs: 0 },
    { memoryUsageMb: 0 },
    { modelConfig: undefined },
    { modelConfig: {} },
    { modelConfig: { model: "sd", options: { a: 1, b: [2, 1] } } },
    { modelConfig: { model: "sd", options: { a: "1", b: [1, 2] } } },
    { retrievedExamples: [] },
    { retrievedExamples: [{ imageId: 1n, imagePath: "a", caption: "", similarity: 0.25, rank: 1 }] },
    { status: "cancelled" },
    { errorMessage: "x" },
    { retrievedExamples: [{ imageId: 1n, imagePath: "a", caption: "", similarity: 0.5, rank: 2 }] },
    { negativePrompt: "x" },
    { sampler: "x" },
    { width: 1 },
    { height: 1 },
    { modelName: "x" },
    { modelHash: "x" },
    { batchId: "x" },
    { parentId: 1n },
    { sessionId: "x" },
    { labels: ["x"] },
    { rating: 1 },
    { retrieval: RETRIEVAL },
    { retrieval: { ...RETRIEVAL, threshold: 0 } },
    { outputPath: "y", outputs: [{ ...outputOf("y"), sizeBytes: 1n }] },
    { outputPath: "y", outputs: [{ ...outputOf("y"), sha256: new Uint8Array(32) }] },
    { outputPath: "y", outputs: [outputOf("y"), outputOf("z")] },
  ];
  const digests = [FIELDS, ...others.map((other) => ({ ...FIELDS, ...other }))].map(hex);
  expect(new Set(digests).size).toBe(others.length + 1);
});

test("what looks alike in different fields is told apart", () => {
  expect(hex({ ...FIELDS, augmentedPrompt: "x", outputPath: "" })).not.toBe(
    hex({ ...FIELDS, augmentedPrompt: "", outputPath: "x" }),
  );
});

test("digests that were stored before there were more fields are still those of the same requests", () => {
  expect(hex(FIELDS)).toBe("52e863f039545e9503c69103e50e4a72780c1b72275e2e819bb90e8652f1d19c");
  expect(hex({ ...FIELDS, outputPath: "out/1.png", outputs: [outputOf("out/1.png")] })).toBe(
    "c1a3d20d576eb0a31626294f13c00270c0885cc556e0cef2761e98bb0b923ca7",
  );
});
