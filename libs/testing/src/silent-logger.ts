import { createLogger, type Logger } from "@kindred/telemetry";

/** A logger that writes nothing. */
export function silentLogger(): Logger {
  return createLogger({ component: "test", level: "silent" });
}
