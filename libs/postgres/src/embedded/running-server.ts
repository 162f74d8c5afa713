import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@kindred/telemetry";

/** A server process of ours that accepts connections. */
export interface RunningServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Of the server, and of the pgvector that it would create. */
  readonly versions: { server: string; vector: string };
  /** Settles when the process has ended, however that came about. */
  waitForEnd(): Promise<void>;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;
/** A server that ran this long had nothing wrong with its start. */
const PROVEN_MS = 60_000;

/**
 * Keeps a server running until it is disposed of: one that ends by itself (the out-of-memory killer, a fault) is
 * started again on the same port, so that pools find it where it was.
 */
export async function keepRunning(
  start: (port: number) => Promise<RunningServer>,
  port: number,
  logger: Logger,
): Promise<RunningServer> {
  let current = await start(port);
  const first = current;
  const stopping = new AbortController();
  const keeper = (async () => {
    let pause = FIRST_PAUSE_MS;
    for (;;) {
      const startedAt = performance.now();
      await current.waitForEnd();
      if (stopping.signal.aborted) return;
      if (performance.now() - startedAt > PROVEN_MS) pause = FIRST_PAUSE_MS;
      for (;;) {
        logger.error({ port: first.port }, "the database server has ended by itself; starting it again");
        await sleep(pause, undefined, { signal: stopping.signal }).catch(() => {});
        if (stopping.signal.aborted) return;
        pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
        try {
          current = await start(first.port);
          break;
        } catch (error) {
          logger.error({ err: error }, "the database server could not be started again");
        }
      }
    }
  })();
  return {
    url: first.url,
    port: first.port,
    versions: first.versions,
    waitForEnd: () => keeper,
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      // A start that is under way is let through, so that it can be stopped.
      await Promise.race([keeper, current[Symbol.asyncDispose]().then(() => keeper)]);
      await current[Symbol.asyncDispose]();
    },
  };
}
