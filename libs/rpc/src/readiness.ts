import { isKindredError, messageOf } from "@kindred/errors";
import type { Logger } from "@kindred/telemetry";
import type { RpcServer } from "./serve.ts";

export interface ReadinessOptions {
  server: Pick<RpcServer, "setServing">;
  /** Uses what the service cannot serve without, e.g. its database: `() => database.query("SELECT 1")`. */
  probe: () => Promise<unknown>;
  /** Default 5 s. */
  everyMs?: number;
  logger: Logger;
}

const PROBE_EVERY_MS = 5000;

/**
 * Keeps the server's health true: SERVING from now on, NOT_SERVING while the probe finds that what it uses cannot be reached
 * (a KindredError "unavailable"), and SERVING again afterwards. An answer that is slow, or another error, is no reason to send all
 * callers away. Dispose of it before the server; its timer keeps no process alive.
 */
export function followReadiness(options: ReadinessOptions): Disposable {
  const { server, probe, logger } = options;
  let serving = true;
  let stopped = false;
  let probing: Promise<void> | undefined;
  server.setServing(true);

  const look = async (): Promise<void> => {
    let problem: unknown;
    try {
      await probe();
    } catch (error) {
      if (isKindredError(error) && error.kind === "unavailable") problem = error;
    }
    const able = problem === undefined;
    if (stopped || able === serving) return;
    serving = able;
    server.setServing(able);
    if (able) logger.info("ready again");
    else logger.warn({ reason: messageOf(problem) }, "not ready");
  };
  const timer = setInterval(() => {
    // A probe that takes long is not overtaken by the next one.
    probing ??= look().finally(() => {
      probing = undefined;
    });
  }, options.everyMs ?? PROBE_EVERY_MS).unref();

  return {
    [Symbol.dispose]() {
      stopped = true;
      clearInterval(timer);
    },
  };
}
