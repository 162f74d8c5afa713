import { CONFIG_EXIT_CODE, ConfigError, loadConfig, type Schema } from "@kindred/config";
import { messageOf } from "@kindred/errors";
import { createLogger } from "@kindred/telemetry";
import { openDatabase, type Database } from "./database.ts";
import { migrate, type DataSourceSetup } from "./data-source.ts";
import { databaseSettings } from "./settings.ts";

export interface MigrationTask extends Pick<DataSourceSetup, "migrations"> {
  /** Of the service, e.g. "vector-store". */
  name: string;
  /** Its PostgreSQL schema. */
  schema: string;
  /** What the database has to have before. */
  before?: (db: Database) => Promise<void>;
}

/**
 * The whole of a service's migrate.ts: brings its schema up to date, with one line on standard output for each migration that was
 * applied. It reads the database's settings alone. The exit code is 78 for a bad setting and 1 for any other failure, with one line
 * on standard error.
 */
export async function runMigrationTask(task: MigrationTask): Promise<void> {
  try {
    const config = loadConfig(databaseSettings satisfies Schema);
    const component = `${task.name}-migrate`;
    await using db = await openDatabase({
      config,
      schema: task.schema,
      applicationName: `kindred-${component}`,
      logger: createLogger({ component, level: "warn" }),
    });
    await task.before?.(db);
    for (const migration of await migrate(db, task)) process.stdout.write(`${task.schema}: ${migration}\n`);
  } catch (error) {
    process.exitCode = error instanceof ConfigError ? CONFIG_EXIT_CODE : 1;
    process.stderr.write(`${task.name}: ${messageOf(error)}\n`);
  }
}
