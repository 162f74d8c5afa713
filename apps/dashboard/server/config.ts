import { fileURLToPath } from "node:url";
import { choice, duration, integer, optional, text, url, type ConfigOf } from "@kindred/config";

const upstream = (service: string, port: number) =>
  url({
    description: `Where the ${service} service answers Connect calls.`,
    schemes: ["http", "https"],
    default: `http://127.0.0.1:${port}`,
  });

export const configSchema = {
  HOST: text({ description: "Address to listen on.", default: "127.0.0.1", maxLength: 255 }),
  HTTP_PORT: integer({ description: "Port; 0 takes any free one.", default: 8080, min: 0, max: 65_535 }),
  LOG_LEVEL: choice({
    description: "Least level that is logged.",
    default: "info",
    choices: ["fatal", "error", "warn", "info", "debug", "trace", "silent"],
  }),
  DRAIN_TIMEOUT: duration({
    description: "Time that requests in flight have to finish on shutdown.",
    default: "20s",
    min: "0s",
    max: "1h",
  }),
  EMBEDDING_URL: upstream("embedding", 8081),
  VECTOR_STORE_URL: upstream("vector-store", 8082),
  GENERATION_TRACKING_URL: upstream("generation-tracking", 8083),
  METRICS_URL: upstream("metrics", 8084),
  MEDIA_ROOT: optional(
    text({ description: "Folder of the pictures, served below /media/; without it there are none." }),
  ),
  DASHBOARD_DIST: text({
    description: "Folder of the built page.",
    default: fileURLToPath(new URL("../dist", import.meta.url)),
  }),
} as const;

export type OriginConfig = ConfigOf<typeof configSchema>;
