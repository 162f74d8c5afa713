import type { AddressInfo } from "node:net";
import { KindredError, messageOf } from "@kindred/errors";
import { createLogger, type Logger } from "@kindred/telemetry";
import type { OriginConfig } from "./config.ts";
import { createOrigin } from "./origin.ts";

const IDLE_SWEEP_MS = 50;

export interface RunningOrigin extends AsyncDisposable {
  readonly ready: { httpPort: number };
}

/**
 * Serves the origin. Disposing of it refuses new requests, lets those in flight finish until DRAIN_TIMEOUT, and cuts the rest.
 * @throws KindredError unavailable when the port cannot be had.
 */
export async function listenOrigin(
  config: OriginConfig,
  overrides: { logger?: Logger } = {},
): Promise<RunningOrigin> {
  const logger = overrides.logger ?? createLogger({ component: "origin", level: config.LOG_LEVEL });
  const origin = await createOrigin(config, { logger });
  try {
    await origin.listen({ host: config.HOST, port: config.HTTP_PORT });
  } catch (error) {
    await origin.close();
    const taken = Error.isError(error) && "code" in error && error.code === "EADDRINUSE";
    const why = taken ? "another process has it" : messageOf(error);
    throw new KindredError(
      "unavailable",
      `cannot listen on ${config.HOST}:${config.HTTP_PORT}: ${why}; set HTTP_PORT to a free port`,
      { cause: error },
    );
  }
  const { port } = origin.server.address() as AddressInfo;
  return {
    ready: { httpPort: port },
    [Symbol.asyncDispose]: async () => {
      const cut = setTimeout(() => {
        logger.warn("requests outlived the drain timeout and are cut");
        origin.server.closeAllConnections();
      }, config.DRAIN_TIMEOUT);
      // A connection whose last request was in flight when closing began would be kept alive for its next one.
      const sweep = setInterval(() => origin.server.closeIdleConnections(), IDLE_SWEEP_MS);
      try {
        await origin.close();
      } finally {
        clearTimeout(cut);
        clearInterval(sweep);
      }
    },
  };
}
