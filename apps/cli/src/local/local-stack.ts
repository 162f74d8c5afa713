import { loadConfig } from "@kindred/config";
import { SERVICES, startProcesses, type ProcessState, type StackPorts } from "@kindred/process";
import { serverSettings } from "@kindred/rpc";
import type { Logger } from "@kindred/telemetry";
import { pino } from "pino";
import { openClients } from "../clients.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { removeRunFile, writeRunFile } from "../run-file.ts";
import type { Steps } from "../terminal/steps.ts";
import { buildDashboard } from "./dashboard.ts";
import { chooseDatabase, openLocalDatabase } from "./database.ts";
import { takeHome, type Home } from "./home.ts";
import { inParallel } from "./in-parallel.ts";
import { LogFiles } from "./log-files.ts";
import { prepareModel } from "./model.ts";
import { awaitFreePorts, choosePorts, requireFreePorts, type PortOptions } from "./ports.ts";

export interface LocalOptions extends PortOptions {
  /** auto, native, pglite or a URL. */
  database?: string;
  gallery: boolean;
}

/** Kindred on this machine. Disposing of it drains and stops everything in order. */
export interface LocalStack extends AsyncDisposable {
  readonly url: string;
  readonly addresses: Readonly<Record<string, string>>;
  readonly database: string;
  readonly home: Home;
  /** Rejects with a Failure when one of the processes cannot be kept running. */
  readonly broken: Promise<never>;
}

/** What a killed run's processes may take to drain. */
const LEFTOVER_TIMEOUT_MS = 30_000;

/**
 * Starts everything: database, model and dashboard side by side, then the services and the origin, then the gallery.
 * @throws Failure in one line; whatever was started is stopped again.
 */
export async function startLocal(
  options: LocalOptions,
  deps: { context: Context; steps: Steps; signal: AbortSignal },
): Promise<LocalStack> {
  const { context, steps, signal } = deps;
  const choice = chooseDatabase(options.database, context.env);
  const { LOG_LEVEL } = loadConfig(
    { LOG_LEVEL: serverSettings({ grpcPort: 0, httpPort: 0 }).LOG_LEVEL },
    context.env,
  );
  await using starting = new AsyncDisposableStack();
  const home = starting.use(await takeHome(context.places));
  const ports = await choosePorts(options);
  if (home.afterKill) await awaitFreePorts(ports, LEFTOVER_TIMEOUT_MS, signal);
  await requireFreePorts(ports);

  const names = [...SERVICES.map(({ name }) => name), "origin", "database"];
  const onWarning = (name: string, message: string): void => {
    // The log keeps this one: nobody can upgrade the server that Kindred brings along.
    const ours = "kind" in choice && message.startsWith("this pgvector has known faults");
    if (!ours) steps.note(`  ${name}: ${message}`);
  };
  const logs = starting.use(await LogFiles.open(home.logs, names, onWarning));
  const env = { KINDRED_HOME: home.path, KINDRED_CACHE_DIR: home.cache };
  const logger = databaseLogger(LOG_LEVEL, (line) => logs.write("database", line));

  const [database] = await inParallel(signal, [
    () =>
      steps.run("database", async (step) =>
        starting.use(await openLocalDatabase(choice, { home, logger, step })),
      ),
    (anyFailed) =>
      steps.run("model", async (step) => ({ summary: await prepareModel({ env, step, signal: anyFailed }) })),
    (anyFailed) =>
      steps.run("dashboard", async () => ({ summary: await buildDashboard({ signal: anyFailed }) })),
  ]);

  const stack = await startServices({ env, databaseUrl: database.url, ports, home, logs, steps, signal });
  starting.use(stack);
  if (options.gallery) {
    // Drawing takes a native library that nothing else here needs.
    const { loadGallery } = await import("./gallery.ts");
    const clients = openClients({ url: stack.url, timeoutMs: context.timeoutMs });
    await steps.run("gallery", async (step) => ({
      summary: await loadGallery({ clients, mediaRoot: home.media, step }),
    }));
  }
  signal.throwIfAborted();
  starting.defer(() => removeRunFile(home.path));
  await writeRunFile(home.path, {
    pid: process.pid,
    origin: stack.url,
    grpc: { ...stack.addresses },
    databaseUrl: database.url,
    mediaRoot: home.media,
    startedAt: new Date().toISOString(),
  });
  const started = starting.move();
  return {
    url: stack.url,
    addresses: stack.addresses,
    database: database.summary,
    home,
    broken: stack.broken,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

/** The database is looked after by this very process; what there is to say goes where the other processes' lines go. */
function databaseLogger(level: string, write: (line: string) => void): Logger {
  return pino(
    {
      level,
      base: { component: "database" },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => write(line.trimEnd()) },
  );
}

interface ServicesDeps {
  env: Record<string, string>;
  databaseUrl: string;
  ports: StackPorts;
  home: Home;
  logs: LogFiles;
  steps: Steps;
  signal: AbortSignal;
}

type Services = Pick<LocalStack, "url" | "addresses" | "broken"> & AsyncDisposable;

async function startServices(deps: ServicesDeps): Promise<Services> {
  const { steps, signal, home } = deps;
  const broken = Promise.withResolvers<never>();
  // Nobody may be waiting yet.
  broken.promise.catch(() => {});
  // While they start, services wait for each other; the failure that ends a start is told then, once.
  let settled = false;
  const onState = (name: string, state: ProcessState): void => {
    if (state.kind === "failed") {
      const remedy = `Its log: ${home.logs}/${name}.log`;
      broken.reject(new Failure(`${sentence(state.reason)}`, { exitCode: EXIT.unavailable, remedy }));
    } else if (settled && state.kind === "waiting") {
      steps.note(`  ${name} ended (${firstLine(state.reason)}); starting it again`);
    } else if (settled && state.kind === "ready" && state.restarts > 0) {
      steps.note(`  ${name} serves again`);
    }
  };
  await using starting = new AsyncDisposableStack();
  const { stack } = await steps.run("services", async (step) => {
    step.progress("starting");
    const processes = starting.use(
      await startProcesses({
        databaseUrl: deps.databaseUrl,
        env: deps.env,
        ports: deps.ports,
        origin: { mediaRoot: home.media },
        onLog: (name, line) => deps.logs.write(name, line),
        onState,
      }),
    );
    await Promise.race([processes.ready, broken.promise, aborted(signal)]);
    settled = true;
    return { stack: processes, summary: [...processes.processes.keys()].join(", ") };
  });
  const started = starting.move();
  return {
    url: stack.originUrl as string,
    addresses: stack.addresses,
    broken: broken.promise,
    [Symbol.asyncDispose]: () => {
      settled = false;
      return started.disposeAsync();
    },
  };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error);
    else signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}

function sentence(text: string): string {
  return `${text[0]?.toUpperCase()}${text.slice(1).replace(/\.$/, "")}.`;
}
