import { readFileSync } from "node:fs";

/**
 * Whether ONNX Runtime has to take its slower, exact kernels for 8-bit products. x86 processors without VNNI add pairs of
 * uint8 x int8 products in 16 bits, which overflow for large weights. With VNNI, and on ARM, the fast kernels are exact.
 * Unknown processors are taken for old ones.
 */
export function needsExactProducts(
  arch: string = process.arch,
  platform: NodeJS.Platform = process.platform,
  cpuinfo: () => string = () => readFileSync("/proc/cpuinfo", "utf8"),
): boolean {
  if (arch !== "x64") return false;
  if (platform !== "linux") return true;
  return !/^flags\s*:.*\bavx(?:512)?_vnni\b/m.test(cpuinfo());
}
