export { callOptions } from "./call-options.ts";
export { openChannel, type Channel, type ChannelOptions } from "./channel.ts";
export { ERROR_DOMAIN, fromConnectError, toConnectError } from "./error-codes.ts";
export {
  startEventDelivery,
  type DeliverEvents,
  type EventDelivery,
  type EventDeliveryOptions,
} from "./event-delivery.ts";
export { MAX_TEXT_BYTES, startChecks, type FieldChecks } from "./field-checks.ts";
export { createInMemoryTransport } from "./in-memory.ts";
export {
  metricsReporterOptions,
  metricsReporterSettings,
  startMetricsReporter,
  type DeliverSamples,
  type MetricSampleInit,
  type MetricsDestination,
  type MetricsReporterOptions,
} from "./metrics-reporter.ts";
export {
  modelCacheReporterSettings,
  startModelCacheReporter,
  type DeliverModelCacheEvents,
  type ModelCacheDestination,
  type ModelCacheEventInit,
  type ModelCacheReporter,
  type ModelCacheReporterOptions,
  type ModelCacheState,
} from "./model-cache-reporter.ts";
export { packVectors, unpackVectors } from "./packed-vectors.ts";
export { delayBefore, isPassing } from "./passing-errors.ts";
export { followReadiness, type ReadinessOptions } from "./readiness.ts";
export { retryable, type RetryPolicy } from "./retry.ts";
export type { HttpRoutes } from "./http-server.ts";
export { serve, type RpcServer, type ServeOptions } from "./serve.ts";
export { serverSettings, type ServerConfig } from "./server-settings.ts";
export { timestampOf } from "./timestamps.ts";
export { tracingOptions, tracingSettings } from "./tracing-settings.ts";
