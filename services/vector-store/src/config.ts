import { bytes, duration, integer, optional, text, urls, type ConfigOf } from "@kindred/config";
import { databaseSettings } from "@kindred/postgres";
import { metricsReporterSettings, serverSettings, tracingSettings } from "@kindred/rpc";

export const configSchema = {
  ...serverSettings({ grpcPort: 50052, httpPort: 8082 }),
  ...databaseSettings,
  ...tracingSettings,
  ...metricsReporterSettings,
  EMBEDDING_ADDRESS: text({
    description: "The embedding service's gRPC address, host:port or dns:///name:port.",
    default: "127.0.0.1:50051",
  }),
  INDEX_BUILD_MEMORY: optional(
    bytes({
      description:
        "Most memory that an index build may take in the database; by default a quarter of what this process may use.",
      min: "1MiB",
      max: "1024GiB",
    }),
  ),
  INDEX_MIN_ROWS: integer({
    description:
      "Rows from which a collection should have a vector index, where its own policy does not say: below, comparing all of them is exact and fast enough.",
    default: 10_000,
    min: 1,
    max: 1_000_000_000,
  }),
  INDEX_MAINTENANCE_INTERVAL: duration({
    description:
      "How often collections whose index policy is automatic are looked over, to build, rebuild and tune what they need; 0 leaves all of it to callers.",
    default: "60s",
    min: "0s",
    max: "24h",
  }),
  READ_DATABASE_URL: optional(
    urls({
      description:
        "Streaming replicas of the database, for searches; each one by itself, not through a balancer.",
      schemes: ["postgresql", "postgres"],
      secret: true,
    }),
  ),
  READ_MAX_STALENESS: duration({
    description:
      "How far behind the data of a replica may be where a search does not say (max_staleness); 0 asks the primary.",
    default: "10s",
    min: "0s",
    max: "1h",
  }),
  SEARCH_CACHE_BYTES: bytes({
    description:
      "Most memory for vectors that are kept as JSON, for want of pgvector, so that searches need not read them again; 0 reads them each time.",
    default: "256MiB",
    min: "0",
    max: "1024GiB",
  }),
  RECALL_RECENT_QUERIES: integer({
    description:
      "How many vectors of late searches are kept of each collection, so that recall is measured with queries like the real ones; 0 keeps none.",
    default: 1000,
    min: 0,
    max: 100_000,
  }),
};

export type VectorStoreConfig = ConfigOf<typeof configSchema>;
