import {
  createConnectRouter,
  createMethodImplSpec,
  createServiceImplSpec,
  type ConnectRouter,
  type MethodImplSpec,
} from "@connectrpc/connect";
import type { DescService } from "@bufbuild/protobuf";

export type Routes = (router: ConnectRouter) => void;

/** What a Routes function registers. */
export interface RecordedRoutes {
  readonly methods: readonly MethodImplSpec[];
  /** Services with at least one method, in the order of their registration. */
  readonly services: readonly DescService[];
}

/** Runs `routes` once and keeps what it registers, so that both ports serve the same implementation objects. */
export function recordRoutes(routes: Routes): RecordedRoutes {
  const methods: MethodImplSpec[] = [];
  const services = new Set<DescService>();
  const router: ConnectRouter = {
    handlers: createConnectRouter().handlers,
    service(service, implementation, options) {
      refuseOptions(options, service.typeName);
      services.add(service);
      methods.push(...Object.values(createServiceImplSpec(service, implementation).methods));
      return router;
    },
    rpc(method, implementation, options) {
      refuseOptions(options, `${method.parent.typeName}/${method.name}`);
      services.add(method.parent);
      methods.push(createMethodImplSpec(method, implementation));
      return router;
    },
  };
  routes(router);
  return { methods, services: [...services] };
}

function refuseOptions(options: object | undefined, name: string): void {
  if (options !== undefined) throw new TypeError(`options of ${name} would hold on the HTTP port only`);
}
