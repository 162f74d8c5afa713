import { loadConfig } from "@kindred/config";
import { OperationChanges, operationStore } from "@kindred/operations/postgres";
import { databaseSettings, openDatabase, type Database } from "@kindred/postgres";
import { silentLogger } from "@kindred/testing";
import { DATABASE_SCHEMA } from "../src/adapters/postgres/migrations.ts";
import { OPERATION_TABLE } from "../src/adapters/postgres/operation-table.ts";
import { retentionPolicies } from "../src/adapters/postgres/retention-policies.ts";
import type { OperationStore } from "../src/domain/operations/operation.ts";
import type { RetentionPolicies } from "../src/domain/retention/ports.ts";
import { openOperations, type Operations } from "../src/open-operations.ts";

export async function openTestDatabase(url: string, name = "retention-test"): Promise<Database> {
  return await openDatabase({
    config: loadConfig(databaseSettings, { DATABASE_URL: url }),
    schema: DATABASE_SCHEMA,
    applicationName: name,
    logger: silentLogger(),
  });
}

/** What a replica has of operations: connections of its own, and a runner. */
export async function openReplica(
  url: string,
  options: Parameters<typeof openOperations>[1] & { name?: string } = {},
): Promise<Operations> {
  await using opening = new AsyncDisposableStack();
  const db = opening.use(await openTestDatabase(url, options.name));
  const operations = opening.use(openOperations(db, options));
  const open = opening.move();
  return { ...operations, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

/** Asks for operations, and does none. */
export interface Asking extends AsyncDisposable {
  db: Database;
  operations: OperationStore;
  policies: RetentionPolicies;
}

export async function openAsking(url: string): Promise<Asking> {
  await using opening = new AsyncDisposableStack();
  const db = opening.use(await openTestDatabase(url));
  const changes = opening.use(new OperationChanges(db));
  const operations = operationStore(db, OPERATION_TABLE, changes);
  const open = opening.move();
  return {
    db,
    operations,
    policies: retentionPolicies(db),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
