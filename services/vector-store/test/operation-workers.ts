import { setTimeout as delay } from "node:timers/promises";
import { loadConfig } from "@kindred/config";
import { OperationRunner, type RunnerDeps } from "@kindred/operations";
import {
  OperationChanges,
  operationClaims,
  operationStore,
  type PostgresOperationStore,
} from "@kindred/operations/postgres";
import { databaseSettings, openDatabase, type Database } from "@kindred/postgres";
import { silentLogger } from "@kindred/testing";
import { OPERATION_TABLE } from "../src/adapters/postgres/operation-table.ts";
import { DATABASE_SCHEMA } from "../src/adapters/postgres/migrations.ts";
import {
  OPERATION_TERMS,
  type OperationHandler,
  type OperationKind,
} from "../src/domain/operations/operation.ts";

/** What a process of the service has of operations: connections of its own, a store, and a runner with these handlers. */
export interface Worker extends AsyncDisposable {
  db: Database;
  store: PostgresOperationStore<OperationKind>;
}

export async function openWorker(
  url: string,
  handlers: readonly OperationHandler[],
  options: { times?: RunnerDeps["times"]; name?: string } = {},
): Promise<Worker> {
  await using opening = new AsyncDisposableStack();
  const db = opening.use(
    await openDatabase({
      config: loadConfig(databaseSettings, { DATABASE_URL: url }),
      schema: DATABASE_SCHEMA,
      applicationName: options.name ?? "operations-test",
      logger: silentLogger(),
    }),
  );
  const changes = opening.use(new OperationChanges(db));
  const store = operationStore(db, OPERATION_TABLE, changes);
  opening.defer(() => store.endWatches());
  const runner = opening.use(
    new OperationRunner({
      terms: OPERATION_TERMS,
      claims: operationClaims(db, OPERATION_TABLE, changes),
      handlers,
      log: db.logger,
      times: options.times,
    }),
  );
  changes.subscribe((id, wanted) => {
    if (wanted) runner.wanted(id);
  });
  const open = opening.move();
  return { db, store, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

/**
 * Takes `spec.steps` steps of `spec.ms` each; a step is done by a row of `steps_done`, and known by the checkpoint. What cleaning up
 * removes are these rows.
 */
export function stepping(
  kind: OperationKind,
  db: () => Database,
  hooks: { step?: (id: bigint, step: number) => void | Promise<void> } = {},
): OperationHandler {
  return {
    kind,
    async run({ operation, signal, report, checkpoint }) {
      const { steps, ms } = operation.spec as { steps: number; ms: number };
      const { done = 0 } = operation.checkpoint as { done?: number };
      for (let step = done; step < steps; step++) {
        report({ phase: "stepping", phaseNumber: 1, phaseCount: 1, done: step, total: steps, unit: "steps" });
        await hooks.step?.(operation.id, step);
        await delay(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
        await db().query("INSERT INTO steps_done (operation, step) VALUES ($1, $2)", [
          String(operation.id),
          step,
        ]);
        await checkpoint({ done: step + 1 });
      }
      report({ phase: "stepping", phaseNumber: 1, phaseCount: 1, done: steps, total: steps, unit: "steps" });
      return { steps };
    },
    async cleanUp({ operation }) {
      await db().query("DELETE FROM steps_done WHERE operation = $1", [String(operation.id)]);
    },
  };
}
