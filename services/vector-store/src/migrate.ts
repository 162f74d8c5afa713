import { ConfigError, loadConfig } from "@kindred/config";
import { messageOf } from "@kindred/errors";
import { migrate, openDatabase } from "@kindred/postgres";
import { CONFIG_EXIT_CODE } from "@kindred/process";
import { createLogger } from "@kindred/telemetry";
import { DATABASE_SCHEMA, migrations } from "./adapters/postgres/migrations.ts";
import { requireVector } from "./adapters/postgres/require-vector.ts";
import { configSchema } from "./config.ts";

// Brings the schema up to date and exits; one line on standard output for each migration that was applied.
try {
  const config = loadConfig(configSchema);
  const logger = createLogger({ component: "vector-store-migrate", level: config.LOG_LEVEL });
  await using database = await openDatabase({
    config,
    schema: DATABASE_SCHEMA,
    applicationName: "kindred-vector-store-migrate",
    logger,
  });
  await requireVector(database);
  for (const name of await migrate(database, { migrations })) {
    process.stdout.write(`${DATABASE_SCHEMA}: ${name}\n`);
  }
} catch (error) {
  process.exitCode = error instanceof ConfigError ? CONFIG_EXIT_CODE : 1;
  process.stderr.write(`vector-store: ${messageOf(error)}\n`);
}
