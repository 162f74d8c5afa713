import { OperationRunner, type RunnerDeps } from "@kindred/operations";
import { OperationChanges, operationClaims, operationStore } from "@kindred/operations/postgres";
import { operationMetrics } from "@kindred/operations/telemetry";
import type { Database } from "@kindred/postgres";
import type { Metrics } from "@kindred/telemetry";
import { OPERATION_TABLE } from "./adapters/postgres/operation-table.ts";
import { retentionPolicies } from "./adapters/postgres/retention-policies.ts";
import { retentionRuns } from "./adapters/postgres/retention-runs.ts";
import { OPERATION_TERMS, type OperationKind } from "./domain/operations/operation.ts";
import { applyDuePolicies } from "./domain/retention/apply-retention.ts";
import { retentionHandler } from "./domain/retention/retention-operation.ts";
import { Sweeper } from "./domain/sweeper.ts";
import type { RetentionDeps } from "./rpc/retention/routes.ts";

export interface Operations extends Omit<RetentionDeps, "store">, AsyncDisposable {
  /** Ends all watching with "unavailable", which lets a server drain: clients watch again elsewhere. */
  endWatches(): void;
}

/** The long work of this service, which this process does its share of. The database is migrated, and stays the caller's. */
export function openOperations(
  db: Database,
  options: {
    /** How often it is looked for policies whose time has come, in milliseconds; undefined: never. */
    applyEveryMs?: number | undefined;
    metrics?: Metrics;
    times?: RunnerDeps["times"];
  } = {},
): Operations {
  const open = new AsyncDisposableStack();
  const changes = open.use(new OperationChanges(db));
  const operations = operationStore(db, OPERATION_TABLE, changes);
  open.defer(() => operations.endWatches());
  const policies = retentionPolicies(db);
  const runs = retentionRuns(db);
  const runner = open.use(
    new OperationRunner<OperationKind>({
      terms: OPERATION_TERMS,
      claims: operationClaims(db, OPERATION_TABLE, changes),
      handlers: [retentionHandler({ runs })],
      log: db.logger,
      observer: options.metrics && operationMetrics(options.metrics, "generation_tracking"),
      times: options.times,
    }),
  );
  changes.subscribe((id, wanted) => {
    if (wanted) runner.wanted(id);
  });
  if (options.applyEveryMs !== undefined) {
    open.use(
      new Sweeper({
        what: "retention policies",
        everyMs: options.applyEveryMs,
        sweep: (signal) => applyDuePolicies({ policies, operations, log: db.logger }, signal),
        log: db.logger,
      }),
    );
  }
  return {
    operations,
    policies,
    runs,
    cancelOperations: (policy, note, limits) => operations.cancelAll(policy, note, limits),
    endWatches: () => operations.endWatches(),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
