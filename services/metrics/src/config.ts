import { duration, text, type ConfigOf } from "@kindred/config";
import { databaseSettings } from "@kindred/postgres";
import { metricsReporterSettings, serverSettings, tracingSettings } from "@kindred/rpc";

// This service's own samples need no address.
const { METRICS_ADDRESS: _, ...reporterSettings } = metricsReporterSettings;

export const configSchema = {
  ...serverSettings({ grpcPort: 50054, httpPort: 8084 }),
  ...databaseSettings,
  ...tracingSettings,
  ...reporterSettings,
  METRICS_RETENTION: duration({
    description:
      "How long samples are kept; 720h is 30 days. From 48h on, whole days are dropped when the last of their samples is older.",
    default: "720h",
    min: "1h",
    max: "87600h",
  }),
  METRICS_MINUTE_RETENTION: duration({
    description: "How long is kept what samples were in each minute; 2160h is 90 days.",
    default: "2160h",
    min: "1h",
    max: "87600h",
  }),
  METRICS_HOUR_RETENTION: duration({
    description: "How long is kept what samples were in each hour; 43800h is 5 years.",
    default: "43800h",
    min: "1h",
    max: "876000h",
  }),
  VECTOR_STORE_ADDRESS: text({
    description: "The vector store's gRPC address, host:port, asked for the counts of images and embeddings.",
    default: "127.0.0.1:50052",
  }),
  GENERATION_TRACKING_ADDRESS: text({
    description: "generation-tracking's gRPC address, host:port, asked for the counts of generations.",
    default: "127.0.0.1:50053",
  }),
};

export type MetricsConfig = ConfigOf<typeof configSchema>;
