import { duration, text, type ConfigOf } from "@kindred/config";
import { databaseSettings } from "@kindred/postgres";
import { metricsReporterSettings, serverSettings, tracingSettings } from "@kindred/rpc";

export const configSchema = {
  ...serverSettings({ grpcPort: 50053, httpPort: 8083 }),
  ...databaseSettings,
  ...tracingSettings,
  ...metricsReporterSettings,
  PROMPT_COLLECTION: text({
    description:
      "The vector store's collection of prompts, in which they are searched by meaning; it is made and kept by this service.",
    default: "prompts",
  }),
  PROMPT_OUTBOX_INTERVAL: duration({
    description:
      "How often it is looked for generations whose prompts have to be added to the collection, or removed from it.",
    default: "1s",
    min: "10ms",
    max: "1h",
  }),
  GENERATION_SWEEP_INTERVAL: duration({
    description:
      "How often generations are looked for whose makers have been silent for longer than their leases.",
    min: "10ms",
    max: "24h",
    default: "5s",
  }),
  RETENTION_CHECK_INTERVAL: duration({
    description: "how often it is looked for retention policies that are to be applied by themselves",
    min: "10ms",
    max: "24h",
    default: "30s",
  }),
  SESSION_IDLE_TIMEOUT: duration({
    description: "how long a session may be silent whose caller does not say, before it is ended",
    min: "1s",
    max: "720h",
    default: "30m",
  }),
  SESSION_SWEEP_INTERVAL: duration({
    description: "how often the end of idle sessions is written down; they have ended before, whoever asks",
    min: "10ms",
    max: "24h",
    default: "10s",
  }),
  VECTOR_STORE_ADDRESS: text({
    description:
      "The vector store's gRPC address, host:port or dns:///name:port: retrievals are replayed there, and prompts are searched by meaning.",
    default: "127.0.0.1:50052",
  }),
};

export type GenerationTrackingConfig = ConfigOf<typeof configSchema>;
