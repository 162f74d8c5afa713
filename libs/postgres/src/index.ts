export type { ServerCapabilities } from "./capabilities.ts";
export { compareVersions } from "./capabilities.ts";
export { ensureVector, openDatabase, type Database, type OpenDatabaseOptions } from "./database.ts";
export {
  databaseUsage,
  type DatabaseUsage,
  type DatabaseUsageOptions,
  type TableUsage,
} from "./database-usage.ts";
export { migrate, openDataSource, repositoryTransaction, type DataSourceSetup } from "./data-source.ts";
export {
  startEmbeddedServer,
  type EmbeddedServer,
  type EmbeddedServerOptions,
} from "./embedded/embedded-server.ts";
export type { Progress } from "./embedded/progress.ts";
export { runMigrationTask, type MigrationTask } from "./migration-task.ts";
export type { PoolStats } from "./pool.ts";
export { isUniqueViolation, sqlStateOf, translatePgError } from "./pg-errors.ts";
export type { SingleStatement } from "./single-statement.ts";
export { databaseSettings, type DatabaseConfig } from "./settings.ts";
export { streamTransaction, type StreamLimits } from "./stream-transaction.ts";
export { setLocalStatements, type TransactionOptions } from "./transaction.ts";
export { fromVectorBytes, fromVectorText, toVectorParameter } from "./vectors.ts";
