import { once } from "node:events";
import { createServer } from "node:net";
import { isKindredError, KindredError } from "@kindred/errors";

export const HOST = "127.0.0.1";

/**
 * The port that is wanted, or any free one for 0. It is free now; somebody else may take it before it is used.
 * @throws KindredError failed-precondition when the wanted one is taken.
 */
export async function freePort(wanted: number): Promise<number> {
  const probe = createServer();
  try {
    probe.listen(wanted, HOST);
    await once(probe, "listening");
    return (probe.address() as { port: number }).port;
  } catch (error) {
    throw portTaken(wanted, error);
  } finally {
    probe.close();
  }
}

export function portTaken(port: number, cause?: unknown): KindredError {
  return new KindredError(
    "failed-precondition",
    `port ${port} on ${HOST} is taken: choose another for the database`,
    {
      cause,
      metadata: { port: String(port) },
    },
  );
}

export function isPortTaken(error: unknown): boolean {
  return isKindredError(error) && "port" in error.metadata;
}
