import { create, fromJson, type JsonValue, type MessageInitShape } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "@jest/globals";
import {
  GenerationFilterSchema,
  type GenerationStatus,
  type OutputState,
} from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import type { GenerationFilter } from "../domain/generation-filter.ts";
import { readGenerationFilter } from "./generation-filter.ts";

type Init = MessageInitShape<typeof GenerationFilterSchema>;

function read(init: Init, path = "filter"): { filter: GenerationFilter; fields: string[] } {
  const checks = startChecks();
  const filter = readGenerationFilter(create(GenerationFilterSchema, init), path, checks);
  return { filter, fields: checks.violations.map(({ field }) => field) };
}

const UNKNOWN = 99;
const condition = (path: string[], equals?: JsonValue): Init => ({
  modelConfig: [{ path, ...(equals !== undefined && { equals: fromJson(ValueSchema, equals) }) }],
});
const bare = (kind: object): Init => ({ modelConfig: [{ path: ["a"], equals: { kind } }] }) as Init;

describe("a filter", () => {
  test("that says nothing has no condition", () => {
    const { filter, fields } = read({});
    expect(fields).toEqual([]);
    expect(Object.values(filter).every((value) => value === undefined)).toBe(true);
    expect(readGenerationFilter(undefined, "filter", startChecks())).toEqual({});
  });

  test("keeps zeros, which are conditions too", () => {
    const { filter } = read({ seed: 0n, rating: {}, memoryUsageMb: { min: 0, max: 0 } });
    expect(filter).toMatchObject({ seed: 0n, rating: {}, memoryUsageMb: { min: 0, max: 0 } });
  });

  test("has values of any JSON, and none where only the member's being there is asked for", () => {
    const equals = (value?: JsonValue): unknown =>
      read(condition(["a"], value)).filter.modelConfig?.[0]?.equals;
    expect(equals()).toBeUndefined();
    expect(equals(null)).toBeNull();
    expect(equals(7.5)).toBe(7.5);
    expect(equals({ b: ["\\u0000", 1] })).toEqual({ b: ["\\u0000", 1] });
    expect(read(condition(["a"], "\\u0000")).fields).toEqual([]);
    expect(read(condition(["a"], "\\ud800 \u{1f600}")).fields).toEqual([]);
  });

  const bad: [string, Init, string[]][] = [
    ["an unknown status", { status: [1, UNKNOWN as GenerationStatus] }, ["filter.status[1]"]],
    ["an unknown state", { outputState: UNKNOWN as OutputState }, ["filter.output_state"]],
    ["a long text", { promptWords: "x".repeat(1_001) }, ["filter.prompt_words"]],
    ["NUL", { errorContains: "a\0", labels: ["ok", "\0"] }, ["filter.labels[1]", "filter.error_contains"]],
    ["an empty name", { modelName: ["m", ""] }, ["filter.model_name[1]"]],
    ["too many values", { sampler: Array.from({ length: 1_001 }, String) }, ["filter.sampler"]],
    ["a range the wrong way round", { width: { min: 2, max: 1 } }, ["filter.width.min"]],
    [
      "numbers that are none",
      { guidanceScale: { min: Number.NaN, max: Infinity } },
      ["filter.guidance_scale.min", "filter.guidance_scale.max"],
    ],
    ["ids below 1", { parentId: 0n, imageId: -1n }, ["filter.parent_id", "filter.image_id"]],
    [
      "times the wrong way round",
      { createdAfter: { seconds: 2n }, createdBefore: { seconds: 1n } },
      ["filter.created_after"],
    ],
    ["a path of nothing", condition([]), ["filter.model_config[0].path"]],
    ["a path of eleven", condition(Array.from({ length: 11 }, String)), ["filter.model_config[0].path"]],
    ["a path with an empty name", condition(["a", ""]), ["filter.model_config[0].path[1]"]],
    ["a value that is none", bare({ case: undefined }), ["filter.model_config[0].equals"]],
    ["NaN for a value", bare({ case: "numberValue", value: Number.NaN }), ["filter.model_config[0].equals"]],
    ["half of a pair in a path", condition(["a", "x\ud800"]), ["filter.model_config[0].path[1]"]],
    ["half of a pair in a value", condition(["a"], { b: "x\ud800" }), ["filter.model_config[0].equals"]],
    ["NUL in a value", condition(["a"], { "\0": 1 }), ["filter.model_config[0].equals"]],
    [
      "too many conditions",
      { modelConfig: Array.from({ length: 17 }, () => ({ path: ["a"] })) },
      ["filter.model_config"],
    ],
  ];

  test.each(bad)("with %s is refused", (_, init, fields) => {
    expect(read(init).fields.toSorted()).toEqual(fields.toSorted());
  });
});
