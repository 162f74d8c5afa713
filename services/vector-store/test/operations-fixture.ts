import { setTimeout as delay } from "node:timers/promises";
import { migrate } from "@kindred/postgres";
import { testDatabase } from "@kindred/testing";
import { migrations } from "../src/adapters/postgres/migrations.ts";
import { prepareVector } from "../src/adapters/postgres/require-vector.ts";
import type {
  NewOperation,
  Operation,
  OperationContext,
  OperationHandler,
  OperationKind,
} from "../src/domain/operations/operation.ts";
import { openWorker, type Worker } from "./operation-workers.ts";

export const COLLECTIONS = ["images", ...Array.from({ length: 8 }, (_, i) => `c${i}`)];

/** A database of collections without tables, and somebody who asks for operations and does none. */
export interface Operations extends AsyncDisposable {
  url: string;
  idle: Worker;
  /** By default an index drop of three short steps on "images". */
  start(changes?: Partial<NewOperation>): Promise<Operation>;
  /** The operation as it has ended. */
  ended(operation: Operation): Promise<Operation>;
  /** Waits until it is as it should be; the test's own limit is the only one. */
  until(operation: Operation, check: (operation: Operation) => boolean): Promise<Operation>;
  /** Which steps a `stepping` handler has taken. */
  stepsOf(operation: Operation): Promise<number[]>;
}

export async function openOperations(): Promise<Operations> {
  await using opening = new AsyncDisposableStack();
  const { url } = opening.use(await testDatabase());
  const idle = opening.use(await openWorker(url, []));
  await prepareVector(idle.db);
  await migrate(idle.db, { migrations });
  await idle.db.query("CREATE TABLE steps_done (operation BIGINT NOT NULL, step INTEGER NOT NULL)");
  for (const name of COLLECTIONS.slice(1)) {
    await idle.db.query(
      `INSERT INTO collections (kind, name, dimensions, element_type, metric, recall_target, index_kind)
       VALUES ('managed', $1, 3, 'vector', 'cosine', 0.95, 'none')`,
      [name],
    );
  }
  const open = opening.move();
  return {
    url,
    idle,
    start: (changes) =>
      idle.store.start(
        {
          kind: "index-drop",
          subject: "images",
          spec: { steps: 3, ms: 5 },
          automatic: false,
          requestId: undefined,
          ...changes,
        },
        {},
      ),
    async ended({ id }) {
      let last: Operation | undefined;
      for await (const operation of idle.store.watch(id, {})) last = operation;
      return last as Operation;
    },
    async until({ id }, check) {
      for (;;) {
        const operation = await idle.store.get(id, {});
        if (check(operation)) return operation;
        await delay(20);
      }
    },
    async stepsOf({ id }) {
      const { rows } = await idle.db.query<{ step: number }>(
        "SELECT step FROM steps_done WHERE operation = $1 ORDER BY step",
        [String(id)],
      );
      return rows.map(({ step }) => step);
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** One whose work is this; what it is given can be looked at. */
export function handler(
  run: (context: OperationContext) => Promise<Operation["spec"]>,
  kind: OperationKind = "index-drop",
): OperationHandler & { cleaned: { stopped: boolean }[] } {
  const cleaned: { stopped: boolean }[] = [];
  return {
    kind,
    run,
    cleaned,
    cleanUp: async ({ signal }) => void cleaned.push({ stopped: signal.aborted }),
  };
}

/** Until the signal is aborted. */
export async function aborted({ signal }: OperationContext): Promise<never> {
  await delay(2 ** 30, undefined, { signal }).catch(() => undefined);
  throw signal.reason;
}
