import { bytes, choice, duration, integer, text, type ConfigOf, type Field } from "@kindred/config";

/** The settings that every service's server has; spread them into the service's schema. */
export function serverSettings(defaults: { grpcPort: number; httpPort: number }) {
  return {
    HOST: text({
      description: "address that both ports listen on; 0.0.0.0 in containers",
      default: "127.0.0.1",
      maxLength: 255,
    }),
    GRPC_PORT: integer({
      description: "port for gRPC; 0 takes any free one",
      default: defaults.grpcPort,
      min: 0,
      max: 65_535,
    }),
    HTTP_PORT: integer({
      description: "port for Connect, gRPC-Web, /healthz and /metrics; 0 takes any free one",
      default: defaults.httpPort,
      min: 0,
      max: 65_535,
    }),
    LOG_LEVEL: choice({
      description: "least level of the lines that are logged",
      choices: ["fatal", "error", "warn", "info", "debug", "trace", "silent"],
      default: "info",
    }),
    CORS_ORIGINS: origins({
      description: "origins whose pages may call the HTTP port, comma-separated; * for all; empty for none",
    }),
    MAX_MESSAGE_BYTES: bytes({
      description: "largest message, received or sent, on both ports",
      default: "32MiB",
      min: "64KiB",
      max: "1GiB",
    }),
    SHUTDOWN_GRACE: duration({
      description: "on shutdown, how long new calls are still taken after health turned NOT_SERVING",
      default: "0s",
      min: "0s",
      max: "5m",
    }),
    DRAIN_TIMEOUT: duration({
      description: "on shutdown, how long calls in flight may take to finish",
      default: "20s",
      min: "0s",
      max: "1h",
    }),
  };
}

/** What `serve` needs to know. */
export type ServerConfig = ConfigOf<ReturnType<typeof serverSettings>>;

function origins(options: { description: string }): Field<readonly string[]> {
  return {
    description: options.description,
    fallback: "",
    required: false,
    secret: false,
    expects: "origins such as https://example.com, or *",
    parse(raw) {
      const given = raw
        .split(",")
        .map((origin) => origin.trim())
        .filter(Boolean);
      for (const origin of given) {
        if (origin !== "*" && URL.parse(origin)?.origin !== origin) {
          throw new Error(
            `must be origins such as https://example.com (scheme, host, port; no path), has ${JSON.stringify(origin)}`,
          );
        }
      }
      return given;
    },
  };
}
