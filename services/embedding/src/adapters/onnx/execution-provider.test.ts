import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { silentLogger } from "@kindred/testing";
import type { Precision } from "../../domain/precision.ts";
import { needsExactProducts } from "./cpu-features.ts";
import { cudaObstacle, providersToTry, runtimeFolder, type ExecutionProvider } from "./execution-provider.ts";
import { WorkerUnusable, type InferenceWorker } from "./inference-worker.ts";
import { likelyPrecision } from "./likely-precision.ts";
import { startInference, type InferenceOptions, type Parts } from "./start-inference.ts";
import type { WorkerSettings } from "./worker-protocol.ts";

test.each([
  ["auto", undefined, ["cuda", "cpu"], ""],
  ["auto", "no library", ["cpu"], "no library"],
  ["cuda", undefined, ["cuda", "cpu"], ""],
  ["cuda", "no library", ["cpu"], "no library"],
  ["cpu", undefined, ["cpu"], ""],
  ["cpu", "no library", ["cpu"], ""],
] as const)("%s with obstacle %s tries %j", (requested, obstacle, candidates, reason) => {
  expect(providersToTry(requested, obstacle)).toEqual({ candidates, reason });
});

test.each([
  ["linux", "libonnxruntime_providers_cuda.so"],
  ["win32", "onnxruntime_providers_cuda.dll"],
] as const)("on %s CUDA is tried only where its provider library is", async (platform, library) => {
  const folder = await mkdtemp(join(tmpdir(), "kindred-runtime-"));
  expect(cudaObstacle(folder, platform)).toContain(library);
  await writeFile(join(folder, library), "");
  expect(cudaObstacle(folder, platform)).toBeUndefined();
  await rm(folder, { recursive: true });
});

test("on macOS CUDA is not tried at all", () => {
  expect(cudaObstacle(tmpdir(), "darwin")).toContain("darwin");
});

test("the runtime's folder is found", () => {
  expect(runtimeFolder()).toContain(join("bin", "napi-v6", process.platform, process.arch));
});

const RESULT = { vectors: Float32Array.of(1), inferenceMs: 1 };

/** A machine with or without a CUDA library, on which sessions of some providers open. */
function machine(options: { cudaLibrary: boolean; works: readonly ExecutionProvider[] }) {
  const started: WorkerSettings[] = [];
  const compiled: Precision[] = [];
  const parts: Parts = {
    cudaObstacle: () => (options.cudaLibrary ? undefined : "the CUDA provider library is not installed"),
    startWorker: async (settings): Promise<InferenceWorker> => {
      started.push(settings);
      const { provider } = settings.session;
      if (!options.works.includes(provider)) throw new WorkerUnusable(`libcudart.so.12 is missing`);
      const ended = Promise.withResolvers<void>();
      return {
        ended: ended.promise,
        run: async () => RESULT,
        [Symbol.asyncDispose]: async () => ended.resolve(),
      };
    },
  };
  const start = (overrides: Partial<InferenceOptions>) =>
    startInference(
      {
        compiled: async (precision) => {
          compiled.push(precision);
          return `/models/${precision}.onnx`;
        },
        precision: "auto",
        workers: 2,
        expressWorker: true,
        requested: "auto",
        requireCuda: false,
        logger: silentLogger(),
        onAvailable: () => undefined,
        ...overrides,
      },
      parts,
    );
  return { start, started, compiled };
}

const withGpu = () => machine({ cudaLibrary: true, works: ["cuda", "cpu"] });
const withoutGpu = () => machine({ cudaLibrary: false, works: ["cpu"] });
const withBrokenGpu = () => machine({ cudaLibrary: true, works: ["cpu"] });

describe("auto", () => {
  test("takes CUDA where it works, in fp16, with one session", async () => {
    const { start, started, compiled } = withGpu();
    await using inference = await start({});
    expect(inference).toMatchObject({
      choice: { provider: "cuda", reason: "" },
      precision: "fp16",
      sessions: 1,
    });
    expect(inference.express).toBeUndefined();
    expect(compiled).toEqual(["fp16"]);
    expect(started.map(({ session, niceness }) => [session.provider, session.modelPath, niceness])).toEqual([
      ["cuda", "/models/fp16.onnx", 0],
    ]);
  });

  test("takes the CPU where there is no CUDA, in fp32, and says why", async () => {
    const { start, started } = withoutGpu();
    await using inference = await start({});
    expect(inference).toMatchObject({
      choice: { provider: "cpu", reason: "the CUDA provider library is not installed" },
      precision: "fp32",
      sessions: 3,
    });
    // The shared ones give way to the one for interactive work.
    expect(started.map(({ niceness }) => niceness)).toEqual([10, 10, 0]);
  });

  test("falls back to the CPU where CUDA is there and does not work, with another model", async () => {
    const { start, compiled } = withBrokenGpu();
    await using inference = await start({});
    expect(inference.choice).toEqual({
      provider: "cpu",
      reason: "CUDA could not be used: libcudart.so.12 is missing",
    });
    expect(compiled).toEqual(["fp16", "fp32"]);
  });
});

test("cpu does not look at the GPU", async () => {
  const { start, started } = withGpu();
  await using inference = await start({ requested: "cpu" });
  expect(inference.choice).toEqual({ provider: "cpu", reason: "" });
  expect(new Set(started.map(({ session }) => session.provider))).toEqual(new Set(["cpu"]));
});

test("without an express worker the others are as nice as usual", async () => {
  const { start, started } = withoutGpu();
  await using inference = await start({ expressWorker: false });
  expect([inference.sessions, inference.express]).toEqual([2, undefined]);
  expect(started.map(({ niceness }) => niceness)).toEqual([0, 0]);
});

test("int8 stays on the CPU, and says why", async () => {
  const { start } = withGpu();
  await using inference = await start({ precision: "int8", requested: "cuda" });
  expect(inference).toMatchObject({
    choice: { provider: "cpu", reason: "the int8 model runs on the CPU only" },
    precision: "int8",
  });
});

test("fp16 is refused on the CPU", async () => {
  await expect(withoutGpu().start({ precision: "fp16" })).rejects.toMatchObject({
    kind: "failed-precondition",
    message: "fp16 is for CUDA, and the CUDA provider library is not installed; choose fp32, int8 or auto",
  });
  await expect(withGpu().start({ precision: "fp16", requested: "cpu" })).rejects.toThrow(
    "fp16 is for CUDA, and EMBEDDING_PROVIDER is cpu",
  );
});

describe("REQUIRE_CUDA", () => {
  const required = { requireCuda: true };

  test("is content with CUDA", async () => {
    await using inference = await withGpu().start(required);
    expect(inference.choice.provider).toBe("cuda");
  });

  test("contradicts EMBEDDING_PROVIDER=cpu", async () => {
    await expect(withGpu().start({ ...required, requested: "cpu" })).rejects.toMatchObject({
      kind: "failed-precondition",
      message: "REQUIRE_CUDA is set, but EMBEDDING_PROVIDER is cpu",
    });
  });

  test.each(["auto", "cuda"] as const)("with %s never falls back to the CPU", async (requested) => {
    const missing = withoutGpu();
    await expect(missing.start({ ...required, requested })).rejects.toMatchObject({
      kind: "failed-precondition",
      message: "REQUIRE_CUDA is set, and the CUDA provider library is not installed",
    });
    expect(missing.started).toEqual([]);
    await expect(withBrokenGpu().start({ ...required, requested })).rejects.toThrow(
      "REQUIRE_CUDA is set, and CUDA could not be used: libcudart.so.12 is missing",
    );
  });

  test("and int8 exclude each other", async () => {
    await expect(withGpu().start({ ...required, precision: "int8" })).rejects.toThrow(
      "REQUIRE_CUDA is set, and the int8 model runs on the CPU only",
    );
  });
});

test("models are compiled ahead of time for what they will most likely run on", () => {
  const [gpu, noGpu] = [() => undefined, () => "no library"];
  expect(likelyPrecision("auto", "auto", gpu)).toBe("fp16");
  expect(likelyPrecision("auto", "cuda", gpu)).toBe("fp16");
  expect(likelyPrecision("auto", "cpu", gpu)).toBe("fp32");
  expect(likelyPrecision("auto", "auto", noGpu)).toBe("fp32");
  expect(likelyPrecision("int8", "auto", noGpu)).toBe("int8");
});

test.each([
  ["arm64", "linux", "", false],
  ["x64", "linux", "flags\t\t: fpu avx2 avx512f avx512_vnni sse", false],
  ["x64", "linux", "flags\t\t: fpu avx2 avx_vnni", false],
  ["x64", "linux", "flags\t\t: fpu avx2 avx512f", true],
  ["x64", "linux", "", true],
  ["x64", "win32", "", true],
] as const)("%s on %s with %j: exact 8-bit products %s", (arch, platform, cpuinfo, expected) => {
  expect(needsExactProducts(arch, platform, () => cpuinfo)).toBe(expected);
});
