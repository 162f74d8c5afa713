import { setTimeout as sleep } from "node:timers/promises";
import { anyPorts, defaultPorts, isPortFree, SERVICES, whoListens, type StackPorts } from "@kindred/process";
import { Failure } from "../failure.ts";

export interface PortOptions {
  /** Of the origin. */
  port?: number;
  /** The origin here, and the services on the eight ports that follow. */
  basePort?: number;
  anyPort?: boolean;
}

/** The ports that the options ask for; whether they are free is another question. */
export async function choosePorts(options: PortOptions): Promise<StackPorts> {
  const ports = options.anyPort
    ? await anyPorts()
    : options.basePort === undefined
      ? defaultPorts()
      : consecutivePorts(options.basePort);
  return options.port === undefined ? ports : { ...ports, origin: options.port };
}

/** Origin, then the services' HTTP ports, then their gRPC ports. */
export function consecutivePorts(first: number): StackPorts {
  const services = SERVICES.map(({ name }, i) => [
    name,
    { http: first + 1 + i, grpc: first + 1 + SERVICES.length + i },
  ]);
  return { origin: first, services: Object.fromEntries(services) as StackPorts["services"] };
}

/** Who needs which port. */
function* eachPort(ports: StackPorts): Generator<[string, number]> {
  yield ["the origin", ports.origin];
  for (const { name } of SERVICES) {
    yield [`${name} (gRPC)`, ports.services[name].grpc];
    yield [`${name} (HTTP)`, ports.services[name].http];
  }
}

/** Resolves when the ports are free, or when the time is over. */
export async function awaitFreePorts(
  ports: StackPorts,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline && !(await arePortsFree(ports)))
    await sleep(100, undefined, { signal });
}

export async function arePortsFree(ports: StackPorts): Promise<boolean> {
  for (const [, port] of eachPort(ports)) if (!(await isPortFree(port))) return false;
  return true;
}

/** @throws Failure in one line that names the taken ports, who has them where the system tells, and the way out. */
export async function requireFreePorts(ports: StackPorts): Promise<void> {
  const taken: string[] = [];
  let originOnly = true;
  for (const [user, port] of eachPort(ports)) {
    if (await isPortFree(port)) continue;
    const holder = await whoListens(port);
    taken.push(`port ${port} for ${user} is taken${holder === undefined ? "" : ` by ${holder}`}`);
    originOnly &&= port === ports.origin;
  }
  if (taken.length === 0) return;
  const [first = ""] = taken;
  const others = taken.length === 1 ? "" : `, and ${taken.length - 1} more of Kindred's ports`;
  throw new Failure(`${first[0]?.toUpperCase()}${first.slice(1)}${others}.`, {
    remedy: originOnly
      ? "Stop it, or choose another port: --port <n> (any free ones: --any-port)"
      : "Stop it, or choose other ports: --base-port <n> takes nine in a row, --any-port any free ones",
  });
}
