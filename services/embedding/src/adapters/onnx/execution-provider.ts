import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

export type ExecutionProvider = "cpu" | "cuda";
export type RequestedProvider = "auto" | ExecutionProvider;

/** Which provider is used, and why it is not the one that was asked for; "" when it is. */
export interface ProviderChoice {
  readonly provider: ExecutionProvider;
  readonly reason: string;
}

const CUDA_LIBRARIES: Partial<Record<NodeJS.Platform, string>> = {
  linux: "libonnxruntime_providers_cuda.so",
  win32: "onnxruntime_providers_cuda.dll",
};

/** The folder in which the installed onnxruntime-node keeps its native libraries. */
export function runtimeFolder(): string {
  const entry = createRequire(import.meta.url).resolve("onnxruntime-node");
  return join(dirname(entry), "..", "bin", "napi-v6", process.platform, process.arch);
}

/** Why CUDA cannot be tried here, or undefined when it can. */
export function cudaObstacle(
  folder: string = runtimeFolder(),
  platform: NodeJS.Platform = process.platform,
): string | undefined {
  const library = CUDA_LIBRARIES[platform];
  if (library === undefined) return `ONNX Runtime has no CUDA provider for ${platform}`;
  if (!existsSync(join(folder, library))) {
    return `the CUDA provider library ${library} is not installed beside onnxruntime-node`;
  }
  return undefined;
}

/** Providers to try, best first, and why CUDA is not among them although it was asked for ("" otherwise). */
export function providersToTry(
  requested: RequestedProvider,
  obstacle: string | undefined,
): { candidates: readonly ExecutionProvider[]; reason: string } {
  if (requested === "cpu") return { candidates: ["cpu"], reason: "" };
  if (obstacle === undefined) return { candidates: ["cuda", "cpu"], reason: "" };
  return { candidates: ["cpu"], reason: obstacle };
}
