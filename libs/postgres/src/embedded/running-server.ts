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
  const first = await start(port);
  let current = first;
  const stopping = new AbortController();

  /** The next server, or undefined when it is no longer wanted. */
  const startAgain = async (pauseMs: number): Promise<RunningServer | undefined> => {
    for (let pause = pauseMs; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      await sleep(pause, undefined, { signal: stopping.signal }).catch(() => {});
      if (stopping.signal.aborted) return undefined;
      try {
        return await start(first.port);
      } catch (error) {
        logger.error({ err: error }, "the database server could not be started again");
      }
    }
  };

  const keep = async (): Promise<void> => {
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      const startedAt = performance.now();
      await current.waitForEnd();
      if (stopping.signal.aborted) return;
      if (performance.now() - startedAt > PROVEN_MS) pause = FIRST_PAUSE_MS;
      logger.error({ port: first.port }, "the database server has ended by itself; starting it again");
      const next = await startAgain(pause);
      if (!next) return;
      current = next;
      // Asked to stop while it started: nobody else knows of it yet.
      if (stopping.signal.aborted) return await next[Symbol.asyncDispose]();
    }
  };

  const keeper = keep();
  return {
    url: first.url,
    port: first.port,
    versions: first.versions,
    waitForEnd: () => keeper,
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await current[Symbol.asyncDispose]();
      await keeper;
    },
  };
}
