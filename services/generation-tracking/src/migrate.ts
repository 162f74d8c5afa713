import { runMigrationTask } from "@kindred/postgres";
import { DATABASE_SCHEMA, migrations } from "./adapters/postgres/migrations.ts";

await runMigrationTask({ name: "generation-tracking", schema: DATABASE_SCHEMA, migrations });
