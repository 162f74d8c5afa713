import type { Client } from "@connectrpc/connect";
import type { Operation, OperationService } from "@kindred/contracts/vector-store/v1";
import { KindredError } from "@kindred/errors";
import { translated } from "../clients.ts";
import { delayBefore, isPassing, Patience, type PatienceDeps } from "../patience.ts";
import { isOver } from "./describe-operation.ts";

/** An operation takes as long as it takes; --timeout is for calls that answer at once. */
const WATCH_TIMEOUT_MS = 24 * 3_600_000;

export interface WatchDeps extends PatienceDeps {
  operations: Pick<Client<typeof OperationService>, "watchOperation">;
}

export interface WatchOptions {
  /** Gives up when the service has not answered for this long, in milliseconds. */
  patienceMs: number;
  /** Ends the watching with its reason; the operation goes on. */
  signal: AbortSignal;
}

/**
 * The operation as it is, then whenever it changes, until it has ended. A stream that breaks, or ends before the operation does, because
 * the replica behind it is restarted, is opened again: the operation goes on without us.
 * @throws KindredError not-found; what the call failed with when patience is over; the signal's reason.
 */
export async function* watchOperation(
  id: bigint,
  deps: WatchDeps,
  options: WatchOptions,
): AsyncGenerator<Operation> {
  const over = new AbortController();
  try {
    yield* untilItsEnd(id, deps, {
      ...options,
      signal: AbortSignal.any([options.signal, over.signal]),
    });
  } finally {
    // A stream that is left early keeps its connection, and this process with it.
    over.abort();
  }
}

async function* untilItsEnd(
  id: bigint,
  deps: WatchDeps,
  { patienceMs, signal }: WatchOptions,
): AsyncGenerator<Operation> {
  const patience = new Patience(deps, patienceMs);
  let attempt = 0;
  for (;;) {
    signal.throwIfAborted();
    const updates = deps.operations.watchOperation({ id }, { signal, timeoutMs: WATCH_TIMEOUT_MS });
    const stream = updates[Symbol.asyncIterator]();
    let broken: unknown = new KindredError("unavailable", "the stream ended before the operation did");
    let last: Operation | undefined;
    try {
      for (;;) {
        const next = await translated(() => stream.next());
        if (next.done) break;
        const { operation } = next.value;
        if (!operation) continue;
        patience.renew();
        attempt = 0;
        last = operation;
        yield operation;
      }
    } catch (error) {
      signal.throwIfAborted();
      broken = error;
    }
    if (last && isOver(last)) return;
    if (!isPassing(broken) || patience.isOver(broken)) throw broken;
    await deps.sleep(delayBefore(attempt++, broken), signal);
  }
}
