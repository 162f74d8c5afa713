import { createRouterTransport, type ConnectRouter, type Transport } from "@connectrpc/connect";
import { createLogger, type Logger } from "@kindred/telemetry";
import { serverInterceptors } from "./interceptors.ts";
import type { Observation } from "./observe-server.ts";
import { withKindredErrors } from "./kindred-errors-transport.ts";

/** A transport to implementations in the same process, through the interceptors of a real server. */
export function createInMemoryTransport(
  routes: (router: ConnectRouter) => void,
  options: Observation & { logger?: Logger } = {},
): Transport {
  return withKindredErrors(
    createRouterTransport(routes, {
      router: {
        interceptors: serverInterceptors(
          options.logger ?? createLogger({ component: "in-memory", level: "silent" }),
          options,
        ),
      },
    }),
  );
}
