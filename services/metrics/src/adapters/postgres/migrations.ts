import { CreateSystemMetrics1763683200000 } from "../../../migrations/1763683200000-create-system-metrics.ts";
import { PartitionSystemMetrics1765065600000 } from "../../../migrations/1765065600000-partition-system-metrics.ts";

/** The PostgreSQL schema that this service owns. */
export const DATABASE_SCHEMA = "metrics";

/** Oldest first. */
export const migrations = [CreateSystemMetrics1763683200000, PartitionSystemMetrics1765065600000];
