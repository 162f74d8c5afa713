export { createLogger, type Logger } from "./logger.ts";
export { activeTraceparent, withRemoteTrace, traceIdOf } from "./trace-context.ts";
export {
  createMetrics,
  DURATION_BUCKETS,
  type Collect,
  type Counter,
  type CounterOptions,
  type Gauge,
  type GaugeOptions,
  type Histogram,
  type HistogramOptions,
  type Labels,
  type Metrics,
} from "./metrics.ts";
export { observePool } from "./pool-metrics.ts";
export {
  currentPlace,
  inSpan,
  recordSpan,
  spanEvent,
  startRemoteSpan,
  startSpan,
  type OpenSpan,
  type RunningSpan,
  type SpanAttributes,
  type TracePlace,
} from "./spans.ts";
export { createSpanRecorder, type RecordedSpan, type SpanRecorder } from "./span-recorder.ts";
export { startTracing, type Tracing, type TracingOptions } from "./tracing.ts";
export {
  cpuLimit,
  memoryLimit,
  type CpuLimit,
  type LimitSource,
  type MemoryLimit,
} from "./resource-limits.ts";
export type { GpuReading } from "./gpu-sampler.ts";
export {
  createProcessSampler,
  type ProcessSample,
  type ProcessSampler,
  type SampledSource,
  type SamplerOptions,
} from "./process-sampler.ts";
export type { UsageSource } from "./resource-usage.ts";
