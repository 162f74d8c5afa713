import { fileURLToPath } from "node:url";
import { freePorts } from "./ports.ts";
import {
  superviseProcess,
  type ProcessState,
  type SupervisedProcess,
  type SuperviseOptions,
} from "./supervise-process.ts";

export type ServiceName = "embedding" | "vector-store" | "generation-tracking" | "metrics";

/** One of Kindred's services, as far as starting it goes. */
export interface ServiceSpec {
  name: ServiceName;
  /** Default ports on 127.0.0.1. */
  ports: ServicePorts;
  /** Whether it needs DATABASE_URL. */
  database: boolean;
}

export interface ServicePorts {
  grpc: number;
  http: number;
}

/** In the order in which one can use the next. */
export const SERVICES: readonly ServiceSpec[] = [
  { name: "embedding", ports: { grpc: 50051, http: 8081 }, database: false },
  { name: "vector-store", ports: { grpc: 50052, http: 8082 }, database: true },
  { name: "generation-tracking", ports: { grpc: 50053, http: 8083 }, database: true },
  { name: "metrics", ports: { grpc: 50054, http: 8084 }, database: true },
];

export const ORIGIN_PORT = 8080;
const HOST = "127.0.0.1";
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** Absolute path of a file of this repository. */
export function repositoryPath(path: string): string {
  return `${ROOT}${path}`;
}

export interface StackOptions {
  /** Which services; all of them when not given. */
  services?: readonly ServiceName[];
  /** Ports of 127.0.0.1; free ones are chosen when not given. */
  ports?: StackPorts;
  /** Needed as soon as one of the services has a database. */
  databaseUrl?: string;
  /** Also for every process, over the environment of this one. */
  env?: Readonly<Record<string, string>>;
  /** The HTTP origin too, with the folder of the pictures that it serves. */
  origin?: { mediaRoot: string };
  onLog: (process: string, line: string) => void;
  onState?: (process: string, state: ProcessState) => void;
  supervision?: Pick<SuperviseOptions, "readyTimeoutMs" | "stopTimeoutMs" | "backoff">;
}

export interface StackPorts {
  services: Readonly<Record<ServiceName, ServicePorts>>;
  origin: number;
}

/** Kindred's processes on this machine. Disposing of it drains and stops them, callers before those they call. */
export interface ProcessStack extends AsyncDisposable {
  /** host:port of each service's gRPC port. */
  readonly addresses: Readonly<Record<string, string>>;
  /** http://host:port of each service's HTTP port. */
  readonly httpUrls: Readonly<Record<string, string>>;
  /** http://host:port; undefined when there is no origin. */
  readonly originUrl: string | undefined;
  readonly processes: ReadonlyMap<string, SupervisedProcess>;
  /** Resolves when every process was ready once. Rejects with the first that cannot be started, in one line. */
  readonly ready: Promise<void>;
}

/** The ports that everybody knows. */
export function defaultPorts(): StackPorts {
  return {
    services: Object.fromEntries(SERVICES.map(({ name, ports }) => [name, ports])) as StackPorts["services"],
    origin: ORIGIN_PORT,
  };
}

/** Free ports for everything. */
export async function anyPorts(): Promise<StackPorts> {
  const [origin, ...rest] = (await freePorts(1 + 2 * SERVICES.length)) as [number, ...number[]];
  const services = SERVICES.map(({ name }, i) => [name, { grpc: rest[2 * i], http: rest[2 * i + 1] }]);
  return { services: Object.fromEntries(services) as StackPorts["services"], origin };
}

/**
 * Starts services, and the origin where asked for, as supervised processes, all at once: a service that needs another one answers
 * UNAVAILABLE until that one is there. Returns before they are ready.
 */
export async function startProcesses(options: StackOptions): Promise<ProcessStack> {
  const ports = options.ports ?? (await anyPorts());
  const chosen = SERVICES.filter(({ name }) => options.services?.includes(name) ?? true);
  const all = {
    addresses: Object.fromEntries(SERVICES.map(({ name }) => [name, `${HOST}:${ports.services[name].grpc}`])),
    httpUrls: Object.fromEntries(
      SERVICES.map(({ name }) => [name, `http://${HOST}:${ports.services[name].http}`]),
    ),
  };
  // Also those of services that are left out: their defaults might lead to somebody else's.
  const peerAddresses = peerVariables("ADDRESS", all.addresses);
  const start = (name: string, entry: string, env: Record<string, string>): SupervisedProcess =>
    superviseProcess({
      ...options.supervision,
      name,
      entry: repositoryPath(entry),
      env: { HOST, ...options.env, ...env },
      restart: "always",
      onLog: (line) => options.onLog(name, line),
      onState: (state) => options.onState?.(name, state),
    });

  const services = chosen.map((spec) => {
    const { grpc, http } = ports.services[spec.name];
    return start(spec.name, `services/${spec.name}/src/main.ts`, {
      GRPC_PORT: String(grpc),
      HTTP_PORT: String(http),
      ...(spec.database && options.databaseUrl !== undefined ? { DATABASE_URL: options.databaseUrl } : {}),
      ...peerAddresses,
    });
  });
  const origin = options.origin
    ? [
        start("origin", "apps/dashboard/server/main.ts", {
          HTTP_PORT: String(ports.origin),
          MEDIA_ROOT: options.origin.mediaRoot,
          ...peerVariables("URL", all.httpUrls),
        }),
      ]
    : [];
  const processes = new Map([...services, ...origin].map((process) => [process.name, process]));
  const ofChosen = (values: Record<string, string>): Record<string, string> =>
    Object.fromEntries(chosen.map(({ name }) => [name, values[name] as string]));
  const ready = allReady(processes);
  // Whoever only disposes of the stack need not care that it never got ready.
  ready.catch(() => {});
  return {
    addresses: ofChosen(all.addresses),
    httpUrls: ofChosen(all.httpUrls),
    originUrl: options.origin ? `http://${HOST}:${ports.origin}` : undefined,
    processes,
    ready,
    [Symbol.asyncDispose]: () => stopInOrder(processes),
  };
}

async function allReady(processes: ReadonlyMap<string, SupervisedProcess>): Promise<void> {
  await Promise.all([...processes.values()].map((process) => process.ready));
}

/** EMBEDDING_ADDRESS and the like. */
function peerVariables(suffix: "ADDRESS" | "URL", peers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(peers).map(([name, value]) => [
      `${name.toUpperCase().replaceAll("-", "_")}_${suffix}`,
      value,
    ]),
  );
}

/** The origin stops taking calls, then who calls the embedding service, then that one. */
async function stopInOrder(processes: ReadonlyMap<string, SupervisedProcess>): Promise<void> {
  const last = ["embedding"];
  const stages = [
    ["origin"],
    [...processes.keys()].filter((name) => name !== "origin" && !last.includes(name)),
    last,
  ];
  for (const stage of stages) await Promise.all(stage.map((name) => processes.get(name)?.stop()));
}
