import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { silentLogger } from "@kindred/testing";
import { needsExactProducts } from "./cpu-features.ts";
import { cudaObstacle, providersToTry, runtimeFolder } from "./execution-provider.ts";
import { startInference } from "./start-inference.ts";

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

const noWorkers = {
  modelPath: "/nowhere/model.onnx",
  precision: "fp32" as const,
  workers: 1,
  requireCuda: true,
  logger: silentLogger(),
  onAvailable: () => undefined,
};

test("REQUIRE_CUDA contradicts EMBEDDING_PROVIDER=cpu", async () => {
  await expect(startInference({ ...noWorkers, requested: "cpu" })).rejects.toMatchObject({
    kind: "failed-precondition",
    message: "REQUIRE_CUDA is set, but EMBEDDING_PROVIDER is cpu",
  });
});

test.each(["auto", "cuda"] as const)(
  "REQUIRE_CUDA with %s never falls back to the CPU",
  async (requested) => {
    await expect(startInference({ ...noWorkers, requested })).rejects.toMatchObject({
      kind: "failed-precondition",
      message: expect.stringMatching(/^REQUIRE_CUDA is set, and .*CUDA/),
    });
  },
);

test("REQUIRE_CUDA and int8 exclude each other", async () => {
  const starting = startInference({ ...noWorkers, requested: "auto", precision: "int8" });
  await expect(starting).rejects.toThrow("REQUIRE_CUDA is set, and the int8 model runs on the CPU only");
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
