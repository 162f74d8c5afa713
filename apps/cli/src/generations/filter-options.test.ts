import { create, toJson } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import { GenerationFilterSchema } from "@kindred/contracts/generation-tracking/v1";
import { Command } from "commander";
import { addFilterOptions, filterOf, type FilterOptions } from "./filter-options.ts";

/** The filter of a command line, as the contract's JSON. */
function filterFrom(...words: string[]): unknown {
  const command = addFilterOptions(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  command.parse(words, { from: "user" });
  return toJson(
    GenerationFilterSchema,
    create(GenerationFilterSchema, filterOf(command.opts<FilterOptions>())),
    {
      useProtoFieldName: true,
    },
  );
}

describe("the options of a filter", () => {
  test("are those of the contract", () => {
    expect(filterFrom()).toEqual({});
    const line =
      "--status failed --status running --contains a --words b --since 2026-01-01 --until 2026-01-02T00:00:00Z " +
      "--model-name m --model-name n --model-hash h --sampler s --session se --batch ba --parent 7 --label x --label y " +
      "--rating 4..5 --seed -9223372036854775808 --steps 30 --guidance ..7.5 --time-ms 100.. --memory-mb .. --width 512 " +
      "--height 1..2 --config a.b=1 --output /m --error-contains e --image 9 --negative-contains n --output-state missing";
    expect(filterFrom(...line.split(" "))).toEqual({
      status: ["GENERATION_STATUS_FAILED", "GENERATION_STATUS_RUNNING"],
      prompt_contains: "a",
      prompt_words: "b",
      created_after: "2026-01-01T00:00:00Z",
      created_before: "2026-01-02T00:00:00Z",
      model_name: ["m", "n"],
      model_hash: ["h"],
      sampler: ["s"],
      session_id: "se",
      batch_id: "ba",
      parent_id: "7",
      labels: ["x", "y"],
      rating: { min: 4, max: 5 },
      seed: "-9223372036854775808",
      num_inference_steps: { min: 30, max: 30 },
      guidance_scale: { max: 7.5 },
      generation_time_ms: { min: 100 },
      memory_usage_mb: {},
      width: { min: 512, max: 512 },
      height: { min: 1, max: 2 },
      model_config: [{ path: ["a", "b"], equals: 1 }],
      output_path_prefix: "/m",
      error_contains: "e",
      image_id: "9",
      negative_prompt_contains: "n",
      output_state: "OUTPUT_STATE_MISSING",
    });
  });

  test.each([
    ["scheduler.name=ddim", { path: ["scheduler", "name"], equals: "ddim" }],
    ["steps=30", { path: ["steps"], equals: 30 }],
    ['name="30"', { path: ["name"], equals: "30" }],
    ["loras", { path: ["loras"] }],
    ["a=b=c", { path: ["a"], equals: "b=c" }],
    ["a=", { path: ["a"], equals: "" }],
    ["a=null", { path: ["a"], equals: null }],
    ['tags=["x", 1]', { path: ["tags"], equals: ["x", 1] }],
    ['["a.b","c"]=true', { path: ["a.b", "c"], equals: true }],
  ])("--config %s", (text, condition) => {
    expect(filterFrom("--config", text)).toEqual({ model_config: [condition] });
  });

  test.each([
    ["--rating", "five"],
    ["--rating", ""],
    ["--rating", "5..3"],
    ["--rating", "1..2..3"],
    ["--time-ms", "1e999"],
    ["--config", "=1"],
    ["--config", "a..b=1"],
    ["--config", "[1]=2"],
    ["--config", '["a"]2'],
    ["--status", "odd"],
    ["--output-state", "unknown"],
    ["--parent", "0"],
  ])("%s %j is refused", (option, value) => {
    expect(() => filterFrom(option, value)).toThrow(/is invalid|is missing/);
  });
});
