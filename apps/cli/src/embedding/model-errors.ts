import { fromConnectError } from "@kindred/rpc";
import { ConnectError } from "@connectrpc/connect";
import { isKindredError } from "@kindred/errors";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";

/**
 * What the work gives. The service names the models that it serves when it does not know the one that was asked for: that is a wrong value
 * on the command line.
 */
export async function namingModels<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isKindredError(error) && !(error instanceof ConnectError)) throw error;
    const { kind, message } = fromConnectError(error);
    if (kind !== "not-found") throw error;
    throw new Failure(`${message}.`, {
      exitCode: EXIT.usage,
      remedy: "All models with their aliases: kindred models list",
      cause: error,
    });
  }
}
