import type { Environment } from "./context.ts";

/** Signals that are sent together: a terminal sends Ctrl+C to every process of its group, and npm passes it on once more. */
const ONE_KEYSTROKE_MS = 1_000;

const POLL_MS = 250;

/** A wish to stop: Ctrl+C, SIGTERM, a closed terminal, or the death of what started this process. */
export interface Interruption extends Disposable {
  /** Aborted at the first wish; its reason is for people. */
  readonly signal: AbortSignal;
}

/**
 * Listens for wishes to stop until it is disposed of. The first aborts the signal; one that comes more than a second later ends the
 * process at once, as it would have done without a listener.
 *
 * Between npx and us there may be a shell that dies of a signal without passing it on: started by npm, the end of our parent counts
 * as a wish, too.
 */
export function interruption(env: Environment): Interruption {
  const controller = new AbortController();
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  let firstAt: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    const now = performance.now();
    firstAt ??= now;
    controller.abort(new Error(`stopped by ${signal}`));
    if (now - firstAt <= ONE_KEYSTROKE_MS) return;
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  };
  const onOrphaned = (): void => controller.abort(new Error("the process that started this one is gone"));
  const parent = process.ppid;
  const watch =
    env["npm_lifecycle_event"] === undefined
      ? undefined
      : setInterval(() => {
          if (process.ppid !== parent) onOrphaned();
        }, POLL_MS).unref();
  for (const signal of signals) process.on(signal, onSignal);
  if (process.connected) process.once("disconnect", onOrphaned);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, onSignal);
      process.off("disconnect", onOrphaned);
      clearInterval(watch);
    },
  };
}
