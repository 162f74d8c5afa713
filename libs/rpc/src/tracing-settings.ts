import { number, optional, text, url, type ConfigOf } from "@kindred/config";

/** OpenTelemetry's own names, as far as they mean what they mean elsewhere; spread them into a service's schema. */
export const tracingSettings = {
  OTEL_EXPORTER_OTLP_ENDPOINT: optional(
    url({
      description:
        "An OpenTelemetry collector that takes OTLP over HTTP, e.g. http://localhost:4318; without one no spans are recorded.",
      schemes: ["http", "https"],
    }),
  ),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: optional(
    url({
      description: "The whole URL that spans go to, in place of <OTEL_EXPORTER_OTLP_ENDPOINT>/v1/traces.",
      schemes: ["http", "https"],
    }),
  ),
  OTEL_TRACES_SAMPLER_ARG: number({
    description: "Share of the traces that begin here to record; callers decide for those that they begin.",
    default: 1,
    min: 0,
    max: 1,
  }),
  OTEL_SERVICE_NAME: optional(
    text({ description: "service.name of the spans; by default kindred-<service>.", maxLength: 255 }),
  ),
};

/** What `startTracing` takes of the settings. */
export function tracingOptions(config: ConfigOf<typeof tracingSettings>): {
  endpoint: string | undefined;
  ratio: number;
  serviceName: string | undefined;
} {
  const base = config.OTEL_EXPORTER_OTLP_ENDPOINT;
  return {
    endpoint:
      config.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ??
      (base === undefined ? undefined : `${base.replace(/\/+$/, "")}/v1/traces`),
    ratio: config.OTEL_TRACES_SAMPLER_ARG,
    serviceName: config.OTEL_SERVICE_NAME,
  };
}
