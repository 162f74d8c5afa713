import { bytes, choice, duration, integer, text, type ConfigOf } from "@kindred/config";

/** The settings that every service has; ports differ. */
export function serverSettings(defaults: { grpcPort: number; httpPort: number }) {
  return {
    HOST: text({ description: "Address that both ports listen on.", default: "127.0.0.1", maxLength: 255 }),
    GRPC_PORT: integer({
      description: "Port for gRPC; 0 takes any free one.",
      default: defaults.grpcPort,
      min: 0,
      max: 65_535,
    }),
    HTTP_PORT: integer({
      description: "Port for Connect, gRPC-Web and /healthz; 0 takes any free one.",
      default: defaults.httpPort,
      min: 0,
      max: 65_535,
    }),
    LOG_LEVEL: choice({
      description: "Least level that is logged.",
      default: "info",
      choices: ["fatal", "error", "warn", "info", "debug", "trace", "silent"],
    }),
    CORS_ORIGINS: text({
      description:
        "Origins, separated by commas, whose pages may call the HTTP port; * for any, empty for none.",
      default: "",
    }),
    MAX_MESSAGE_BYTES: bytes({
      description: "Largest message that is received or sent, on both ports.",
      default: "32MiB",
      min: "64KiB",
      max: "1GiB",
    }),
    SHUTDOWN_GRACE: duration({
      description: "Time between reporting NOT_SERVING and refusing calls, for load balancers to notice.",
      default: "0s",
      min: "0s",
      max: "5m",
    }),
    DRAIN_TIMEOUT: duration({
      description: "Time that calls in flight have to finish on shutdown; then they are aborted.",
      default: "20s",
      min: "0s",
      max: "1h",
    }),
  };
}

export type ServerConfig = ConfigOf<ReturnType<typeof serverSettings>>;
