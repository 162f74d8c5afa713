import { precisionOn, type RequestedPrecision } from "../../domain/choose-precision.ts";
import type { Precision } from "../../domain/precision.ts";
import { cudaObstacle, type RequestedProvider } from "./execution-provider.ts";

/**
 * The precision that a model will most likely run in, for whom compiles it ahead of time: on CUDA where that can be tried.
 * Should it fail there, the model is compiled once more for the CPU when it is loaded.
 */
export function likelyPrecision(
  requested: RequestedPrecision,
  provider: RequestedProvider,
  obstacle: () => string | undefined = cudaObstacle,
): Precision {
  return precisionOn(provider === "cpu" || obstacle() !== undefined ? "cpu" : "cuda", requested);
}
