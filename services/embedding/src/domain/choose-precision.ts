import type { Precision } from "./precision.ts";

/** "auto" is the fastest exact one: fp16 on CUDA, fp32 on the CPU. */
export type RequestedPrecision = "auto" | Precision;

export function precisionOn(provider: "cpu" | "cuda", requested: RequestedPrecision): Precision {
  if (requested !== "auto") return requested;
  return provider === "cuda" ? "fp16" : "fp32";
}
