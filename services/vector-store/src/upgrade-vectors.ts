// Task: turns vectors that were kept as JSON, for want of pgvector, into pgvector's. JSON lines on standard output say how far it is,
// the last one what was done; run by `kindred db upgrade-vectors`. It reads the database's settings alone. The exit code is 78 for a bad
// setting, and 1 when pgvector is not there, when rows stand in the way, and for any other failure, with a line on standard error.
import { CONFIG_EXIT_CODE, ConfigError, loadConfig } from "@kindred/config";
import { KindredError, messageOf } from "@kindred/errors";
import { databaseSettings, ensureVector, openDatabase } from "@kindred/postgres";
import { createLogger } from "@kindred/telemetry";
import { DATABASE_SCHEMA } from "./adapters/postgres/migrations.ts";
import { remedy } from "./adapters/postgres/require-vector.ts";
import { upgradeVectors } from "./adapters/postgres/upgrade-vectors.ts";

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

try {
  const component = "vector-store-upgrade";
  await using db = await openDatabase({
    config: loadConfig(databaseSettings),
    schema: DATABASE_SCHEMA,
    applicationName: `kindred-${component}`,
    logger: createLogger({ component, level: "error" }),
  });
  const { vector, vectorAvailable } = await ensureVector(db);
  if (!vector) throw new KindredError("failed-precondition", remedy(undefined, vectorAvailable));
  const report = await upgradeVectors(db, print);
  print({ phase: "ready", ...report });
  if (report.refused.length > 0) {
    process.exitCode = 1;
    process.stderr.write(`${report.refused.map(describeRefusal).join("\n")}\n`);
  }
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = error instanceof ConfigError ? CONFIG_EXIT_CODE : 1;
}

function describeRefusal(refused: { collection: string; rows: number; keys: string[] }): string {
  const { collection, rows, keys } = refused;
  const more = rows > keys.length ? ` and ${rows - keys.length} more` : "";
  return `${collection} stays as it is: these vectors have another length or are no numbers; replace or delete them: ${keys.join(", ")}${more}`;
}
