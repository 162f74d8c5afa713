import { loadConfig } from "@kindred/config";
import { describe, expect, test } from "@jest/globals";
import { tracingOptions, tracingSettings } from "./index.ts";

const options = (env: Record<string, string>) => tracingOptions(loadConfig(tracingSettings, env));

describe("tracing settings", () => {
  test("say nothing by default: nowhere, all traces, the component's name", () => {
    expect(options({})).toEqual({ endpoint: undefined, ratio: 1, serviceName: undefined });
  });

  test.each([
    ["http://collector:4318", "http://collector:4318/v1/traces"],
    ["http://collector:4318/", "http://collector:4318/v1/traces"],
    ["https://otel.example/base/", "https://otel.example/base/v1/traces"],
  ])("the collector %s takes traces at %s", (base, endpoint) => {
    expect(options({ OTEL_EXPORTER_OTLP_ENDPOINT: base }).endpoint).toBe(endpoint);
  });

  test("a URL for traces is taken as it is, before the general one", () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://general:4318",
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://traces.example/ingest",
      OTEL_TRACES_SAMPLER_ARG: "0.25",
      OTEL_SERVICE_NAME: "mine",
    };
    expect(options(env)).toEqual({
      endpoint: "https://traces.example/ingest",
      ratio: 0.25,
      serviceName: "mine",
    });
  });

  test.each([
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" }, /OTEL_EXPORTER_OTLP_ENDPOINT/],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "grpc://collector:4317" }, /OTEL_EXPORTER_OTLP_TRACES_ENDPOINT/],
    [{ OTEL_TRACES_SAMPLER_ARG: "1.5" }, /OTEL_TRACES_SAMPLER_ARG/],
  ])("%j is refused", (env, name) => {
    expect(() => options(env as Record<string, string>)).toThrow(name);
  });
});
