export { createLogger, type Logger } from "./logger.ts";
export { activeTraceparent, withRemoteTrace, traceIdOf } from "./trace-context.ts";
export {
  cpuLimit,
  memoryLimit,
  type CpuLimit,
  type LimitSource,
  type MemoryLimit,
} from "./resource-limits.ts";
export { createProcessSampler, type ProcessSample, type ProcessSampler } from "./process-sampler.ts";
