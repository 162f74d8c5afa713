import { Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import { Health, HealthCheckResponse_ServingStatus as Status } from "@kindred/contracts/grpc-health/v1";

/** Serving state of this process, overall ("") and for each of its services; starts NOT_SERVING. */
export interface HealthState {
  readonly serving: boolean;
  set(serving: boolean): void;
  /** Ends the Watch streams, which would hold a drain otherwise. */
  close(): void;
  /** Registers grpc.health.v1.Health. */
  routes(router: ConnectRouter): void;
}

export function createHealthState(serviceNames: readonly string[]): HealthState {
  const known = new Set(["", ...serviceNames]);
  const closed = new AbortController();
  let serving = false;
  let changed = Promise.withResolvers<void>();
  const status = (service: string): Status => {
    if (!known.has(service)) return Status.SERVICE_UNKNOWN;
    return serving ? Status.SERVING : Status.NOT_SERVING;
  };

  async function* watch(service: string, signal: AbortSignal): AsyncGenerator<{ status: Status }> {
    const over = new Promise<void>((resolve) => {
      for (const end of [signal, closed.signal])
        end.addEventListener("abort", () => resolve(), { once: true });
    });
    let last: Status | undefined;
    while (!signal.aborted) {
      const next = changed.promise;
      if (status(service) !== last) {
        last = status(service);
        yield { status: last };
      }
      if (closed.signal.aborted) return;
      await Promise.race([next, over]);
    }
  }

  return {
    get serving() {
      return serving;
    },
    set(value) {
      if (value === serving) return;
      serving = value;
      changed.resolve();
      changed = Promise.withResolvers<void>();
    },
    close() {
      closed.abort();
    },
    routes(router) {
      router.service(Health, {
        check({ service }) {
          if (!known.has(service))
            throw new ConnectError(`no service ${JSON.stringify(service)}`, Code.NotFound);
          return { status: status(service) };
        },
        list() {
          return { statuses: Object.fromEntries([...known].map((name) => [name, { status: status(name) }])) };
        },
        watch: ({ service }, context: HandlerContext) => watch(service, context.signal),
      });
    },
  };
}
