import { text, type ConfigOf } from "@kindred/config";
import { databaseSettings } from "@kindred/postgres";
import { metricsReporterSettings, serverSettings, tracingSettings } from "@kindred/rpc";

export const configSchema = {
  ...serverSettings({ grpcPort: 50053, httpPort: 8083 }),
  ...databaseSettings,
  ...tracingSettings,
  ...metricsReporterSettings,
  VECTOR_STORE_ADDRESS: text({
    description:
      "The vector store's gRPC address, host:port or dns:///name:port: retrievals are replayed there, and prompts are searched by meaning.",
    default: "127.0.0.1:50052",
  }),
};

export type GenerationTrackingConfig = ConfigOf<typeof configSchema>;
