/** Signals that are sent together: a terminal sends Ctrl+C to every process of its group, and npm passes it on once more. */
const ONE_KEYSTROKE_MS = 1_000;

/** A wish to stop: Ctrl+C, SIGTERM, a closed terminal, or the death of the launcher that started this process. */
export interface Interruption extends Disposable {
  /** Aborted at the first wish; its reason is for people. */
  readonly signal: AbortSignal;
}

/**
 * Listens for wishes to stop until it is disposed of. The first aborts the signal; one that comes more than a second later ends the
 * process at once, as it would have done without a listener.
 */
export function interruption(): Interruption {
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
  const onDisconnect = (): void => controller.abort(new Error("the process that started this one is gone"));
  for (const signal of signals) process.on(signal, onSignal);
  if (process.connected) process.once("disconnect", onDisconnect);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, onSignal);
      process.off("disconnect", onDisconnect);
    },
  };
}
