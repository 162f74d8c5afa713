import { expect, test } from "@jest/globals";
import * as fc from "fast-check";
import type { GenerationFields, JsonObject } from "./generation.ts";
import { requestDigest } from "./request-digest.ts";

const FIELDS: GenerationFields = {
  prompt: "a cat",
  augmentedPrompt: "",
  outputPath: "",
  seed: 1n,
  numInferenceSteps: undefined,
  guidanceScale: 7.5,
  generationTimeMs: undefined,
  memoryUsageMb: undefined,
  modelConfig: { model: "sd", options: { a: 1, b: [1, 2] } },
  retrievedExamples: [{ imageId: 1n, imagePath: "a", caption: "", similarity: 0.5 }],
  status: "completed",
  errorMessage: "",
};

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
    { retrievedExamples: [{ imageId: 1n, imagePath: "a", caption: "", similarity: 0.25 }] },
    { status: "cancelled" },
    { errorMessage: "x" },
  ];
  const digests = [FIELDS, ...others.map((other) => ({ ...FIELDS, ...other }))].map(hex);
  expect(new Set(digests).size).toBe(others.length + 1);
});

test("what looks alike in different fields is told apart", () => {
  expect(hex({ ...FIELDS, augmentedPrompt: "x", outputPath: "" })).not.toBe(
    hex({ ...FIELDS, augmentedPrompt: "", outputPath: "x" }),
  );
});
