import { KindredError } from "@kindred/errors";
import { delayBefore, isPassing } from "@kindred/rpc";
import { letGo, translated } from "./clients.ts";
import { Patience, type PatienceDeps } from "./patience.ts";

/** What is watched takes as long as it takes; --timeout is for calls that answer at once. */
export const WATCH_TIMEOUT_MS = 24 * 3_600_000;

export interface WatchOptions {
  /** Gives up when the service has not answered for this long, in milliseconds. */
  patienceMs: number;
  /** Ends the watching with its reason; what is watched goes on. */
  signal: AbortSignal;
}

export interface Watched<T> {
  /** What it is called in "the stream ended before … did", e.g. "the operation". */
  what: string;
  open: (signal: AbortSignal) => AsyncIterable<T>;
  isOver: (update: T) => boolean;
  /** Whether the service has answered another call just before (default: false). */
  hasAnswered?: boolean;
}

/**
 * Whatever a call that watches gives, until its end. A stream that breaks, or ends before its time because the replica behind it is restarted,
 * is opened again: what is watched goes on without us. Where nobody has ever answered, there is nothing to wait for.
 * @throws KindredError that the call failed with when patience is over, that does not pass, or that no connection came about with; the signal's
 * reason.
 */
export async function* resumedStream<T>(
  { what, open, isOver, hasAnswered = false }: Watched<T>,
  deps: PatienceDeps,
  { patienceMs, signal }: WatchOptions,
): AsyncGenerator<T> {
  const patience = new Patience(deps, patienceMs);
  let attempt = 0;
  let connected = hasAnswered;
  for (;;) {
    signal.throwIfAborted();
    const left = new AbortController();
    const stream = open(AbortSignal.any([signal, left.signal]))[Symbol.asyncIterator]();
    let broken: unknown = new KindredError("unavailable", `the stream ended before ${what} did`);
    let last: { update: T } | undefined;
    try {
      for (;;) {
        const next = await translated(() => stream.next());
        connected = true;
        if (next.done) break;
        patience.renew();
        attempt = 0;
        last = { update: next.value };
        yield next.value;
      }
    } catch (error) {
      signal.throwIfAborted();
      broken = error;
    } finally {
      letGo(left, stream);
    }
    if (last && isOver(last.update)) return;
    if (!connected || !isPassing(broken) || patience.isOver(broken)) throw broken;
    await deps.sleep(delayBefore(attempt++, broken), signal);
  }
}
