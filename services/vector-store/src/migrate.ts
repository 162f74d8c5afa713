import { runMigrationTask } from "@kindred/postgres";
import { DATABASE_SCHEMA, migrations } from "./adapters/postgres/migrations.ts";
import { prepareVector } from "./adapters/postgres/require-vector.ts";

await runMigrationTask({ name: "vector-store", schema: DATABASE_SCHEMA, migrations, before: prepareVector });
