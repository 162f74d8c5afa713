import { expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { endedSo } from "./end-generation.ts";
import type { Generation, JsonObject, OutputFile } from "./generation.ts";
import type { Completion } from "./generation-lives.ts";

const outputs: fc.Arbitrary<OutputFile[]> = fc.array(
  fc.record({
    path: fc.string({ minLength: 1, maxLength: 5 }),
    sizeBytes: fc.option(fc.bigInt({ min: 0n, max: 99n }), { nil: undefined }),
    sha256: fc.option(fc.uint8Array({ minLength: 32, maxLength: 32 }), { nil: undefined }),
    state: fc.constant("unknown" as const),
    verifiedAtMicros: fc.constant(undefined),
  }),
  { maxLength: 3 },
);

const json = (value: unknown): JsonObject => JSON.parse(JSON.stringify(value)) as JsonObject;

const completions: fc.Arbitrary<Completion> = fc
  .record({
    outputs,
    generationTimeMs: fc.option(fc.nat(), { nil: undefined }),
    memoryUsageMb: fc.option(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }), { nil: undefined }),
    modelConfig: fc.option(fc.dictionary(fc.string(), fc.jsonValue()).map(json), { nil: undefined }),
    seed: fc.option(fc.bigInt({ min: -9n, max: 9n }), { nil: undefined }),
  })
  .map((result) => ({ status: "completed", outputPath: result.outputs[0]?.path ?? "", ...result }));

/** What is stored of a generation that was started with `modelConfig`, after this end. */
function storedAfter(result: Completion, modelConfig: JsonObject): Generation {
  return {
    ...({ id: 1n, errorMessage: "" } as Generation),
    ...result,
    generationTimeMs: result.generationTimeMs ?? 17,
    seed: result.seed ?? 4n,
    modelConfig: { ...modelConfig, ...result.modelConfig },
    // What somebody found out since.
    outputs: result.outputs.map((output) => ({
      ...output,
      sizeBytes: output.sizeBytes ?? 5n,
      sha256: output.sha256 && Buffer.from(output.sha256),
      state: "kept",
    })),
  };
}

test("a completion that is sent again is the same, whatever it was started with, and however its members are ordered", () => {
  fc.assert(
    fc.property(completions, fc.dictionary(fc.string(), fc.jsonValue()).map(json), (result, config) => {
      const stored = storedAfter(result, config);
      expect(endedSo(stored, result)).toBe(true);
      const reversed =
        result.modelConfig && Object.fromEntries(Object.entries(result.modelConfig).toReversed());
      expect(endedSo(stored, { ...result, modelConfig: reversed })).toBe(true);
    }),
  );
});

test("one with anything else in it is another one", () => {
  fc.assert(
    fc.property(completions, (result) => {
      const stored = storedAfter(result, {});
      const others: Partial<Completion>[] = [
        { outputPath: `${result.outputPath}x` },
        { outputs: [...result.outputs, { ...NOTHING_KNOWN, path: "more" }] },
        { generationTimeMs: (stored.generationTimeMs ?? 0) + 1 },
        { memoryUsageMb: result.memoryUsageMb === undefined ? 0 : undefined },
        { seed: (stored.seed ?? 0n) + 1n },
        { modelConfig: { ...result.modelConfig, "a member that nobody gave": null } },
      ];
      const [first, ...rest] = result.outputs;
      if (first) {
        others.push(
          { outputs: rest },
          { outputs: [{ ...first, path: `${first.path}x` }, ...rest] },
          { outputs: [{ ...first, sizeBytes: (first.sizeBytes ?? 5n) + 1n }, ...rest] },
          { outputs: [{ ...first, sha256: new Uint8Array(32).fill((first.sha256?.[0] ?? 0) ^ 1) }, ...rest] },
        );
      }
      for (const other of others) expect(endedSo(stored, { ...result, ...other })).toBe(false);
    }),
  );
});

const NOTHING_KNOWN = {
  sizeBytes: undefined,
  sha256: undefined,
  state: "unknown",
  verifiedAtMicros: undefined,
} as const;

test("the other ends are the same whatever they say, and never another end", () => {
  const stored = (status: Generation["status"]) => ({ id: 1n, status, errorMessage: "x" }) as Generation;
  const failure = {
    status: "failed",
    errorMessage: "y",
    generationTimeMs: 3,
    memoryUsageMb: undefined,
  } as const;
  expect(endedSo(stored("failed"), failure)).toBe(true);
  expect(endedSo(stored("cancelled"), { status: "cancelled" })).toBe(true);
  for (const status of ["running", "completed", "cancelled"] as const)
    expect(endedSo(stored(status), failure)).toBe(false);
  expect(endedSo(stored("failed"), { status: "cancelled" })).toBe(false);
});
