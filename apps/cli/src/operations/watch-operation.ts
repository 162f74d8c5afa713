import type { Operation } from "@kindred/contracts/common/v1";
import type { PatienceDeps } from "../patience.ts";
import { resumedStream, WATCH_TIMEOUT_MS, type WatchOptions } from "../resumed-stream.ts";
import type { OperationCalls } from "./any-operation.ts";
import { isOver } from "./describe-operation.ts";

export interface WatchDeps extends PatienceDeps {
  operations: Pick<OperationCalls, "watch">;
}

/**
 * The operation as it is, then whenever it changes, until it has ended; see resumedStream.
 * @throws KindredError not-found; what the call failed with when patience is over; the signal's reason.
 */
export async function* watchOperation(
  id: bigint,
  deps: WatchDeps,
  options: WatchOptions,
): AsyncGenerator<Operation> {
  const updates = resumedStream(
    {
      what: "the operation",
      open: (signal) => deps.operations.watch(id, { signal, timeoutMs: WATCH_TIMEOUT_MS }),
      isOver: ({ operation }) => operation !== undefined && isOver(operation),
      // It has told us of the operation.
      hasAnswered: true,
    },
    deps,
    options,
  );
  for await (const { operation } of updates) if (operation) yield operation;
}
