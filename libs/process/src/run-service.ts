import { CONFIG_EXIT_CODE, ConfigError, readEnvironment } from "@kindred/config";
import { isKindredError, messageOf } from "@kindred/errors";
import { createLogger, type Logger } from "@kindred/telemetry";
import type { ServiceMessage } from "./messages.ts";

/** Draining has deadlines of its own; a process that is still there after this long hangs. */
const SHUTDOWN_DEADLINE_MS = 60_000;
/** Once everything is disposed of, nothing should keep the event loop alive. */
const EXIT_DEADLINE_MS = 5_000;

export interface RunningService extends AsyncDisposable {
  /** What the parent is told, e.g. the ports. */
  readonly ready: Readonly<Record<string, string | number>>;
}

export interface RunServiceOptions {
  name: string;
  /** Gets the environment over the .env file of the working directory. */
  start: (env: Record<string, string | undefined>) => Promise<RunningService>;
}

/**
 * The life of a service's process: starts it, announces that it is ready, and disposes of it on SIGTERM, SIGINT, SIGHUP or when
 * the parent that started it dies. Resolves when all of that is over.
 *
 * The exit code is 0 after a requested stop, 78 when the configuration is at fault (every problem is listed), and 1 when the service
 * could not start or an exception was caught by nobody; that is logged, and then the service is drained as usual.
 * A second signal ends the process at once. It never calls process.exit().
 */
export async function runService(options: RunServiceOptions): Promise<void> {
  const { name } = options;
  const env = readEnvironment();
  const logger = createLogger({ component: name, level: logLevel(env["LOG_LEVEL"]) });
  const stop = Promise.withResolvers<string>();
  const listening = new DisposableStack();
  listenForStop(stop.resolve, logger, listening);
  try {
    let service: RunningService;
    try {
      service = await options.start(env);
    } catch (error) {
      await reportFailedStart(name, error, logger);
      return;
    }
    logger.info(service.ready, "ready");
    await tellParent({ ...service.ready, type: "ready", name });
    const reason = await stop.promise;
    logger.info({ reason }, "stopping");
    const hangs = endAfter(SHUTDOWN_DEADLINE_MS, logger, "the service did not stop in time");
    try {
      await service[Symbol.asyncDispose]();
      logger.info("stopped");
    } catch (error) {
      process.exitCode = 1;
      logger.fatal({ err: error }, "the service did not stop cleanly");
    } finally {
      clearTimeout(hangs);
    }
  } finally {
    listening.dispose();
    endAfter(EXIT_DEADLINE_MS, logger, "something keeps the process alive after the service has stopped");
  }
}

/** Once the parent is gone nobody reads the pipes; that is no reason to stop half-way through draining. */
function onPipeError(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
}

function listenForStop(stop: (reason: string) => void, logger: Logger, listening: DisposableStack): void {
  let signals = 0;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    const onSignal = (): void => {
      if (++signals === 1) return stop(signal);
      logger.warn({ signal }, "second signal: ending without draining");
      endBySignal(signal);
    };
    process.on(signal, onSignal);
    listening.defer(() => void process.off(signal, onSignal));
  }
  const onDisconnect = (): void => stop("the parent process is gone");
  const onFatal = (error: unknown, origin: string): void => {
    process.exitCode = 1;
    logger.fatal({ err: error, origin }, "an exception was caught by nobody");
    stop(origin);
  };
  process.on("uncaughtException", onFatal);
  process.stdout.on("error", onPipeError);
  process.stderr.on("error", onPipeError);
  if (process.connected) process.once("disconnect", onDisconnect);
  listening.defer(() => {
    process.off("uncaughtException", onFatal);
    process.off("disconnect", onDisconnect);
    if (process.connected) process.disconnect();
  });
}

async function reportFailedStart(name: string, error: unknown, logger: Logger): Promise<void> {
  if (error instanceof ConfigError) {
    process.exitCode = CONFIG_EXIT_CODE;
    process.stderr.write(`${name}: ${error.message}\n`);
  } else {
    process.exitCode = 1;
    // A KindredError was written for people; anything else is a fault whose stack matters.
    if (isKindredError(error)) logger.fatal({ kind: error.kind }, error.message);
    else logger.fatal({ err: error }, "the service could not start");
  }
  await tellParent({ type: "failed", name, message: messageOf(error) });
}

/** Resolves when the message is on its way; does nothing without a parent that listens. */
function tellParent(message: ServiceMessage): Promise<void> {
  return new Promise((resolve) => {
    // A failed send means that the parent died, which "disconnect" reports.
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, undefined, undefined, () => resolve());
  });
}

function endAfter(ms: number, logger: Logger, message: string): NodeJS.Timeout {
  return setTimeout(() => {
    logger.fatal({ open: process.getActiveResourcesInfo() }, message);
    endBySignal("SIGTERM");
  }, ms).unref();
}

/** Ends the process the way the signal would have, had nobody listened to it. */
function endBySignal(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

function logLevel(
  raw: string | undefined,
): "fatal" | "error" | "warn" | "info" | "debug" | "trace" | "silent" {
  // A bad LOG_LEVEL is reported by the service's own schema, together with everything else that is wrong.
  const known = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
  return known.find((level) => level === raw) ?? "info";
}
