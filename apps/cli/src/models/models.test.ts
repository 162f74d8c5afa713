import { PassThrough } from "node:stream";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "@jest/globals";
import { InfoResponseSchema, ModelSchema, ModelState, Precision } from "@kindred/contracts/embedding/v1";
import * as fc from "fast-check";
import { createTerminal } from "../terminal/terminal.ts";
import { percentiles } from "./bench-model.ts";
import { benchTexts } from "./bench-texts.ts";
import { renderInfo, renderModels, renderPulled } from "./render-models.ts";

const terminal = createTerminal({ stdout: new PassThrough(), stderr: new PassThrough(), env: {} });
const SPACE = {
  id: "local:st/minilm@53aa:384:mean:l2:256",
  provider: "local",
  model: "st/minilm",
  revision: "53aa",
  dimensions: 384,
  pooling: "mean",
  normalization: "l2",
  maxTokens: 256,
};
const NOW = new Date("2026-11-20T12:00:00Z");

const MINILM = create(ModelSchema, {
  name: "minilm",
  aliases: ["all-MiniLM-L6-v2", "default"],
  isDefault: true,
  provider: "local",
  state: ModelState.READY,
  space: SPACE,
  precision: Precision.INT8,
  memoryBytes: 330n * 2n ** 20n,
  cachePath: "/cache/compiled/minilm",
  cacheBytes: 91n * 2n ** 20n,
  requestCount: 12_345n,
  lastUsed: timestampFromDate(new Date("2026-11-20T11:57:00Z")),
});
const BROKEN = create(ModelSchema, {
  name: "broken",
  provider: "fireworks",
  state: ModelState.FAILED,
  detail: "no key:\u001b[31m set FIREWORKS_API_KEY",
});

describe("the list", () => {
  test("one line a model, the default marked, and why one failed", () => {
    expect(renderModels(terminal, [MINILM, BROKEN], NOW)).toBe(
      [
        " name              aliases                    provider   dimensions  precision  state      memory      disk  requests  last used",
        " minilm (default)  all-MiniLM-L6-v2, default  local             384  int8       ready   330.0 MiB  91.0 MiB    12,345  3 min ago",
        " broken            -                          fireworks           -  -          failed          -         -         0          -",
        " broken  failed: no key: set FIREWORKS_API_KEY",
      ].join("\n"),
    );
  });

  test("a block for each model where the terminal is too narrow for a table", () => {
    const narrow = { ...terminal, width: 80 };
    const said = renderModels(narrow, [MINILM, BROKEN], NOW);
    expect(said).toMatch(
      /^ name +minilm \(default\)\n aliases +all-MiniLM-L6-v2, default\n provider +local\n/,
    );
    expect(said).toMatch(/\n\n name +broken\n/);
    expect(Math.max(...said.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(renderModels({ ...terminal, width: 140 }, [MINILM], NOW)).toMatch(/^ name +aliases +provider/);
  });

  test("a state of a later version of the contract is shown as it is", () => {
    const model = create(ModelSchema, { name: "x", state: 17 as ModelState, precision: 9 as Precision });
    expect(renderModels(terminal, [model], NOW)).toMatch(/ x +- +- +9 +17 /);
  });
});

describe("what Info says", () => {
  test("everything, readable", () => {
    const info = create(InfoResponseSchema, {
      model: "minilm",
      aliases: ["a", "b"],
      space: SPACE,
      precision: Precision.FP32,
      requestedExecutionProvider: "auto",
      effectiveExecutionProvider: "cpu",
      executionProviderReason: "no CUDA library",
      workers: 2,
      threadsPerWorker: 1,
      modelSource: "hub",
      weightsSha256: "53aa",
      limits: {
        maxTexts: 10_000,
        maxTextBytes: 2 ** 20,
        maxBatchTokens: 512,
        maxQueueTokens: 524_288,
        maxConcurrentRequests: 256,
      },
    });
    expect(renderInfo(terminal, info)).toBe(
      [
        " model          minilm",
        " aliases        a, b",
        " space          local:st/minilm@53aa:384:mean:l2:256",
        " published as   st/minilm, revision 53aa",
        " dimensions     384",
        " pooling        mean, normalisation l2",
        " longest text   256 tokens, then it is cut",
        " runs on        cpu (asked for: auto; no CUDA library)",
        " precision      fp32",
        " workers        2, with 1 thread each",
        " files from     hub",
        " weights        SHA-256 53aa",
        " one request    10,000 texts of 1.0 MiB at most",
        " one batch      512 tokens at most, padding included",
        " queue          524,288 tokens at most, then calls are refused",
        " calls at once  256 at most, then they are refused",
      ].join("\n"),
    );
  });

  test("of a remote model: nothing about workers", () => {
    const info = create(InfoResponseSchema, {
      model: "qwen",
      space: { ...SPACE, provider: "fireworks" },
      requestedExecutionProvider: "remote",
      effectiveExecutionProvider: "remote",
      modelSource: "https://api.fireworks.ai/inference/v1",
    });
    const said = renderInfo(terminal, info);
    expect(said).toMatch(/^ runs on +the provider fireworks$/m);
    expect(said).toMatch(/^ files from +https:/m);
    expect(said).not.toMatch(/workers|weights|precision/);
  });
});

test("a model that was pulled says where it lies", () => {
  expect(renderPulled(terminal, MINILM)).toMatch(
    /compiled form +\/cache\/compiled\/minilm\n size on disk +91\.0 MiB$/,
  );
  expect(renderPulled(terminal, BROKEN)).toContain("none: the provider has the model");
});

describe("measuring", () => {
  test("texts are all different, of words, and not of one length", () => {
    const texts = benchTexts();
    const drawn = Array.from({ length: 20_000 }, () => texts.next().value);
    expect(new Set(drawn).size).toBe(20_000);
    expect(drawn.every((text) => /^[a-z]+( [a-z]+){4,17}$/.test(text))).toBe(true);
    expect(new Set(drawn.map((text) => text.split(" ").length)).size).toBe(14);
  });

  test("percentiles are times that were measured, by nearest rank", () => {
    const times = Array.from({ length: 200 }, (_, i) => 200 - i);
    expect(percentiles(times)).toEqual({ calls: 200, p50: 100, p90: 180, p99: 198 });
    expect(percentiles([7])).toEqual({ calls: 1, p50: 7, p90: 7, p99: 7 });
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { minLength: 1 }), (some) => {
        const { p50, p90, p99 } = percentiles(some);
        expect(some).toEqual(expect.arrayContaining([p50, p90, p99]));
        expect(some.filter((time) => time <= p90).length).toBeGreaterThanOrEqual(0.9 * some.length);
      }),
    );
  });
});
