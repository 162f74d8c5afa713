import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { plainGeneration } from "../generation-fixture.ts";
import type { Generation, JsonObject, JsonValue } from "../generation.ts";
import { diffSettings } from "./diff-settings.ts";

const configured = (modelConfig: JsonObject): Generation => plainGeneration({ modelConfig });

describe("fields", () => {
  test("come in the contract's order, and those that neither has are not counted", () => {
    const left = plainGeneration({
      seed: 1n,
      numInferenceSteps: 30,
      width: 512,
      modelName: "m",
      sampler: "euler_a",
    });
    const right = plainGeneration({
      prompt: "a dog",
      seed: 2n,
      numInferenceSteps: 30,
      width: 512,
      height: 512,
    });
    expect(diffSettings(left, right)).toEqual({
      differences: [
        { path: "prompt", left: "a cat", right: "a dog" },
        { path: "seed", left: 1, right: 2 },
        { path: "sampler", left: "euler_a", right: undefined },
        { path: "height", left: undefined, right: 512 },
        { path: "model_name", left: "m", right: undefined },
      ],
      equal: 2,
    });
  });

  test("what came of them is no setting", () => {
    const other = plainGeneration({
      id: 2n,
      outputPath: "b.png",
      generationTimeMs: 5,
      rating: 5,
      status: "failed",
      errorMessage: "x",
      labels: ["l"],
      createdAtMicros: 9n,
    });
    expect(diffSettings(plainGeneration(), other)).toEqual({ differences: [], equal: 1 });
  });

  test("a seed that no number of JSON holds is text", () => {
    const seeds = diffSettings(plainGeneration({ seed: 2n ** 53n }), plainGeneration({ seed: -(2n ** 63n) }));
    expect(seeds.differences).toEqual([
      { path: "seed", left: "9007199254740992", right: "-9223372036854775808" },
    ]);
    expect(
      diffSettings(plainGeneration({ seed: 2n ** 53n }), plainGeneration({ seed: 2n ** 53n + 1n })).equal,
    ).toBe(1);
  });

  test("how examples were retrieved is a setting", () => {
    const retrieval = {
      query: "",
      k: 5,
      threshold: 0,
      spaceId: "s",
      method: "hnsw",
      indexName: "i",
      efSearch: 40,
      probes: 0,
      expectedRecall: 0.97,
    };
    const other = { ...retrieval, k: 3, threshold: undefined, efSearch: 60, expectedRecall: 0.99 };
    expect(diffSettings(plainGeneration({ retrieval }), plainGeneration({ retrieval: other }))).toEqual({
      differences: [
        { path: "retrieval.k", left: 5, right: 3 },
        { path: "retrieval.threshold", left: 0, right: undefined },
        { path: "retrieval.ef_search", left: 40, right: 60 },
      ],
      equal: 4,
    });
  });
});

describe("members of model_config", () => {
  test("are compared one by one, in the alphabet's order, behind the fields", () => {
    const left = { scheduler: { name: "euler", steps: [1, 2] }, vae: "a", clip: 2, "a.b": 1 };
    const right = { scheduler: { name: "dpm", steps: [1, 2] }, vae: "a", lora: { x: { w: 0.5 } }, "a.b": 2 };
    expect(diffSettings({ ...configured(left), seed: 1n }, { ...configured(right), seed: 2n })).toEqual({
      differences: [
        { path: "seed", left: 1, right: 2 },
        { path: 'model_config."a.b"', left: 1, right: 2 },
        { path: "model_config.clip", left: 2, right: undefined },
        { path: "model_config.lora.x.w", left: undefined, right: 0.5 },
        { path: "model_config.scheduler.name", left: "euler", right: "dpm" },
      ],
      equal: 3,
    });
  });

  test.each<[string, JsonObject, JsonObject, unknown]>([
    ["an object and a text", { a: { b: 1 } }, { a: "b" }, ["model_config.a", { b: 1 }, "b"]],
    ["null and nothing", { a: null }, {}, ["model_config.a", null, undefined]],
    ["an empty object and nothing", { a: {} }, { b: 1 }, ["model_config.a", {}, undefined]],
    ["lists in another order", { a: [1, 2] }, { a: [2, 1] }, ["model_config.a", [1, 2], [2, 1]]],
    ["lists of different lengths", { a: [1] }, { a: [1, 1] }, ["model_config.a", [1], [1, 1]]],
    ["a text and a number", { a: "1" }, { a: 1 }, ["model_config.a", "1", 1]],
    [
      "a member that every object inherits",
      { constructor: 1 },
      {},
      ["model_config.constructor", 1, undefined],
    ],
  ])("%s differ", (_, left, right, expected) => {
    const [first] = diffSettings(configured(left), configured(right)).differences;
    expect([first?.path, first?.left, first?.right]).toEqual(expected);
  });

  test("objects in lists are equal whatever the order of their keys", () => {
    const left = configured({ a: [{ x: 1, y: { z: [null] } }] });
    const right = configured({ a: [{ y: { z: [null] }, x: 1 }] });
    expect(diffSettings(left, right)).toEqual({ differences: [], equal: 2 });
  });

  const json = fc.letrec<{ value: JsonValue; object: JsonObject }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom<JsonValue>(null, true, 0, 1, "a", "b"),
      fc.array(tie("value"), { maxLength: 2 }),
      tie("object"),
    ),
    object: fc.dictionary(fc.constantFrom("a", "b.c", "constructor", "d"), tie("value"), { maxKeys: 3 }),
  })).object;

  test("differ from themselves in nothing, and the other way round in the same paths", () => {
    fc.assert(
      fc.property(json, json, (left, right) => {
        expect(diffSettings(configured(left), configured(structuredClone(left))).differences).toEqual([]);
        const there = diffSettings(configured(left), configured(right));
        const back = diffSettings(configured(right), configured(left));
        expect(back.equal).toBe(there.equal);
        expect(back.differences.map((each) => [each.path, each.right, each.left])).toEqual(
          there.differences.map((each) => [each.path, each.left, each.right]),
        );
      }),
    );
  });
});
