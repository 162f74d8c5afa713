import type { ConfigOf } from "@kindred/config";
import { databaseSettings } from "@kindred/postgres";
import { metricsReporterSettings, serverSettings, tracingSettings } from "@kindred/rpc";

export const configSchema = {
  ...serverSettings({ grpcPort: 50053, httpPort: 8083 }),
  ...databaseSettings,
  ...tracingSettings,
  ...metricsReporterSettings,
};

export type GenerationTrackingConfig = ConfigOf<typeof configSchema>;
